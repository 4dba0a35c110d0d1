"""What is tried again, when, where, and what is not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2

import relatent
from relatent.client.errors import call_error
from relatent.client.retrying import Addresses, RetryPolicy, TimeLimit, _explained
from tests.fixtures.certificates import PAST, Authority
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer

PIXELS = np.zeros((8, 8, 3), np.uint8)
UNAVAILABLE = fake.fails(grpc.StatusCode.UNAVAILABLE, "not ready: the engine is starting")


def bad_request(field: str, description: str) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
    return error_details_pb2.BadRequest(field_violations=[violation])


async def test_unavailable_is_tried_again_until_it_goes_through(call: Call, server: FakeServer) -> None:
    server.scripts = [UNAVAILABLE, UNAVAILABLE, fake.nothing]
    assert await call(server.address, "pack")
    assert len(server.requests) == 3


async def test_a_server_that_starts_late_is_waited_for(call: Call, server: FakeServer) -> None:
    address = server.address
    await server.die()
    late = FakeServer()
    with pytest.raises(relatent.UnavailableError) as caught:
        await call(address, "pack", timeout=1.0)
    assert caught.value.address == address
    assert "cannot connect" in str(caught.value)
    await late.start(address)
    assert await call(address, "pack")
    await late.die()


async def test_it_gives_up_when_the_time_is_up_with_the_last_failure(call: Call, server: FakeServer) -> None:
    server.scripts = [UNAVAILABLE]
    began = time.monotonic()
    with pytest.raises(relatent.UnavailableError, match="engine is starting") as caught:
        await call(server.address, "pack", timeout=2.0)
    assert time.monotonic() - began < 20
    assert len(server.requests) > 2
    assert caught.value.__notes__ == [f"time ran out after 2 s and {len(server.requests)} attempts"]


async def test_time_that_runs_out_in_an_attempt_is_told_together_with_what_was_refused_before(
    call: Call, server: FakeServer
) -> None:
    info = error_details_pb2.ErrorInfo(reason="NOT_READY", domain="relatent")
    starting = fake.fails(grpc.StatusCode.UNAVAILABLE, "not ready: the engine is starting", info)
    server.scripts = [starting, fake.hangs]
    with pytest.raises(relatent.DeadlineError) as caught:
        await call(server.address, "pack", timeout=1.0)
    assert len(server.requests) == 2
    error = caught.value
    assert str(error) == (
        "time ran out after 1 s, in attempt 2: no answer in time; "
        f"the one before: not ready: the engine is starting ({server.address})"
    )
    assert (error.code, error.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "NOT_READY")
    assert error.address == server.address
    assert isinstance(error.__cause__, relatent.UnavailableError)
    assert error.__cause__.message == "not ready: the engine is starting"


async def test_a_full_server_is_called_again_no_sooner_than_it_asks(call: Call, server: FakeServer) -> None:
    full = fake.fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "no place", fake.retry_info(0.4))
    server.scripts = [full, fake.nothing]
    began = time.monotonic()
    await call(server.address, "pack")
    assert 0.4 <= time.monotonic() - began < 15


async def test_a_wait_beyond_the_timeout_fails_at_once(call: Call, server: FakeServer) -> None:
    server.scripts = [fake.fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "no place", fake.retry_info(30))]
    began = time.monotonic()
    with pytest.raises(relatent.OverloadedError) as caught:
        await call(server.address, "pack", timeout=20.0)
    assert time.monotonic() - began < 10
    assert caught.value.retry_after == 30.0
    assert caught.value.__notes__ == [
        "gave up after 1 attempts: asked to come back in 30 s, when the call's 20 s are over"
    ]


async def test_exhaustion_without_a_time_to_come_back_is_final(call: Call, server: FakeServer) -> None:
    server.scripts = [fake.fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "too large")]
    with pytest.raises(relatent.OverloadedError, match="too large"):
        await call(server.address, "pack")
    assert len(server.requests) == 1


async def test_a_wrong_field_is_named_and_not_sent_again(call: Call, server: FakeServer) -> None:
    info = error_details_pb2.ErrorInfo(reason="BAD_STEPS", domain="relatent")
    violation = bad_request("options.refinement.steps", "expected at most 2000, got 5000")
    server.scripts = [fake.fails(grpc.StatusCode.INVALID_ARGUMENT, "invalid request", info, violation)]
    with pytest.raises(relatent.InvalidArgumentError) as caught:
        await call(server.address, "invert", PIXELS)
    error = caught.value
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == "BAD_STEPS"
    assert error.violations == (
        relatent.FieldViolation("options.refinement.steps", "expected at most 2000, got 5000"),
    )
    assert str(error) == "invalid request; options.refinement.steps: expected at most 2000, got 5000"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.OUT_OF_RANGE, relatent.InvalidArgumentError),
        (grpc.StatusCode.NOT_FOUND, relatent.NotFoundError),
        (grpc.StatusCode.FAILED_PRECONDITION, relatent.PreconditionError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, relatent.DeadlineError),
        (grpc.StatusCode.UNIMPLEMENTED, relatent.UnimplementedError),
        (grpc.StatusCode.INTERNAL, relatent.ServerError),
        (grpc.StatusCode.UNAUTHENTICATED, relatent.UnauthenticatedError),
        (grpc.StatusCode.PERMISSION_DENIED, relatent.PermissionDeniedError),
    ],
)
async def test_every_other_code_has_its_error_and_is_final(
    call: Call, server: FakeServer, code: grpc.StatusCode, kind: type[relatent.CallError]
) -> None:
    server.scripts = [fake.fails(code, "so it is")]
    with pytest.raises(kind, match="so it is") as caught:
        await call(server.address, "pack")
    assert caught.value.code is code
    assert len(server.requests) == 1


async def test_another_address_takes_over_without_waiting(
    call: Call, server: FakeServer, second: FakeServer
) -> None:
    server.scripts = [fake.fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "no place", fake.retry_info(60))]
    began = time.monotonic()
    await call(f"{server.address},{second.address}", "pack")
    assert time.monotonic() - began < 10
    assert len(second.requests) == 1


@asynccontextmanager
async def secured(authority: Authority, *ends: datetime | None) -> AsyncIterator[list[FakeServer]]:
    """Servers that speak TLS, and when the certificate of each ends."""
    servers = []
    for number, end in enumerate(ends):
        issued = authority.issue(f"server-{number}", ends=end)
        pair = (issued.key.read_bytes(), issued.certificate.read_bytes())
        servers.append(FakeServer())
        await servers[-1].start(credentials=grpc.ssl_server_credentials([pair]))
    yield servers
    for server in servers:
        await server.die()


async def test_a_certificate_that_has_ended_leaves_the_calls_to_another_address(
    call: Call, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    async with secured(authority, PAST, None) as (ended, good):
        for _ in range(2):
            addresses = [ended.address, good.address]
            assert await call(addresses, "pack", client={"tls": relatent.Tls(authority.path)})
    assert len(good.requests) == 2


async def test_certificates_that_have_ended_everywhere_are_told_once_every_address_was_tried(
    call: Call, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path / "ca")
    async with secured(authority, PAST, PAST) as servers:
        addresses = [server.address for server in servers]
        with pytest.raises(relatent.TlsError, match="not valid now") as caught:
            await call(addresses, "pack", client={"tls": relatent.Tls(authority.path)})
    assert caught.value.address == addresses[1]
    assert [record.args[0] for record in caplog.records if isinstance(record.args, tuple)] == addresses[:1]


async def test_an_address_that_answered_is_kept(server: FakeServer, second: FakeServer) -> None:
    server.scripts = [UNAVAILABLE]
    async with relatent.AsyncClient([server.address, second.address]) as client:
        for _ in range(3):
            await client.pack()
    assert (len(server.requests), len(second.requests)) == (1, 3)


def test_callers_that_fail_together_turn_away_once() -> None:
    addresses = Addresses(["a", "b"])
    addresses.give_up("a")
    addresses.give_up("a")
    assert addresses.preferred == "b"


def test_waits_grow_to_a_maximum() -> None:
    policy = RetryPolicy(initial=0.1, multiplier=2.0, maximum=1.0, jitter=0.0)
    assert [policy.backoff(rounds) for rounds in (1, 2, 3, 10, 10_000)] == [0.1, 0.2, 0.4, 1.0, 1.0]


def test_a_status_that_grpc_lost_while_it_wrote_is_no_fault_of_the_servers() -> None:
    lost = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "Internal error from Core"
    )
    error = call_error(lost, "a:1")
    assert isinstance(error, relatent.UnavailableError)
    assert error.retriable


def test_what_grpc_says_of_tls_is_read_before_the_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("grpc_proxy", "http://proxy:3128")
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    told = "cannot connect: CERTIFICATE_VERIFY_FAILED: certificate has expired: OK"
    failure = relatent.UnavailableError(grpc.StatusCode.UNAVAILABLE, told, address="gpu1:8500")
    with pytest.raises(StopIteration) as ended:
        next(_explained(failure, relatent.Tls(), TimeLimit.of(1)))
    assert isinstance(ended.value.value, relatent.TlsError)
    assert str(ended.value.value) == (
        "the service's certificate is not valid now: certificate has expired; it must be renewed there; "
        "it goes through the proxy proxy:3128 of grpc_proxy: set no_proxy=gpu1 to go without"
    )
