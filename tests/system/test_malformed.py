"""Bad input gets a clear error, whatever it is, and harms nobody."""

import asyncio
from collections import Counter
from dataclasses import replace

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from relatent.core.pack import read_packs
from relatent.v1 import editing_pb2_grpc, inversion_pb2, inversion_pb2_grpc
from tests.fixtures.requests import details, image, reason, violated
from tests.fixtures.restoring import add_restoration
from tests.fixtures.sessions import open_session, refusal_details
from tests.fixtures.tiny import write_tiny
from tests.system.malformed import malformed_requests
from tests.system.malformed_restorations import malformed_restorations
from tests.system.malformed_sessions import SESSION, malformed_changes, malformed_openings

STREAMS = {
    "InversionService/Invert": "InversionService/InvertStream",
    "RestorationService/Restore": "RestorationService/RestoreStream",
}
"""Of unary methods those whose requests have the same fields."""


@pytest.fixture(scope="module")
def tiny_root(tmp_path_factory):
    """Of a pack that restores, too."""
    root = tmp_path_factory.mktemp("restoring")
    add_restoration(*write_tiny(root))
    return root


async def answer(channel, request):
    """The error that a request is answered with."""
    path = f"/relatent.v1.{request.method}"
    if request.method == SESSION:
        call = channel.stream_stream(path)(timeout=60)
        await call.write(request.data)
        first = call.read()
    elif request.method in STREAMS.values():
        first = channel.unary_stream(path)(request.data, timeout=60).read()
    else:
        first = channel.unary_unary(path)(request.data, timeout=60)
    with pytest.raises(grpc.RpcError) as caught:
        await first
    return caught.value


def check(request, error):
    """The error is the one that the request deserves."""
    assert error.code() is request.code, (request, error)
    if request.field is None:
        assert reason(error) == "MALFORMED_REQUEST"
        return
    assert violated(error) == request.field, (request, error)
    (violation,) = details(error)["BadRequest"].field_violations
    # It says what was expected, or what there is.
    assert "expected" in violation.description or "there are" in violation.description
    assert reason(error) != "INTERNAL"


async def test_200_malformed_requests_each_get_a_precise_error_and_the_service_stays_healthy(
    service, tiny_root
):
    requests = [*malformed_requests(read_packs(tiny_root / "packs")["tiny"]), *malformed_restorations()]
    assert len(requests) >= 200
    # The streaming methods' requests have the same fields, and must be held to them as well.
    requests += [replace(r, method=STREAMS[r.method]) for r in requests if r.method in STREAMS]
    requests += malformed_openings(requests)
    assert len({(request.method, request.data) for request in requests}) == len(requests)
    async with grpc.aio.insecure_channel(service.address) as channel:
        # Sixteen at a time, as callers come.
        gate = asyncio.Semaphore(16)

        async def one(request):
            async with gate:
                return await answer(channel, request)

        errors = await asyncio.gather(*map(one, requests))
        for request, error in zip(requests, errors, strict=True):
            check(request, error)
        codes = Counter(error.code() for error in errors)
        assert codes.keys() == {
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.NOT_FOUND,
            grpc.StatusCode.FAILED_PRECONDITION,
        }
        health = health_pb2_grpc.HealthStub(channel)
        status = (await health.Check(health_pb2.HealthCheckRequest(), timeout=10)).status
        assert status == health_pb2.HealthCheckResponse.SERVING
        stub = inversion_pb2_grpc.InversionServiceStub(channel)
        result = await stub.Invert(inversion_pb2.InvertRequest(image=image()), timeout=30)
        assert result.result.quality.psnr > 30
    assert service.metric("relatent_inflight") == 0
    assert service.metric("relatent_waiting") == 0
    assert not service.log_lines("a call failed")


async def test_a_session_refuses_every_malformed_change_as_precisely_and_outlives_them_all(
    service, tiny_root
):
    pack = read_packs(tiny_root / "packs")["tiny"]
    changes = list(malformed_changes(malformed_requests(pack)))
    assert len(changes) >= 10
    async with (
        grpc.aio.insecure_channel(service.address) as channel,
        open_session(editing_pb2_grpc.EditingServiceStub(channel)) as session,
    ):
        for request, change in changes:
            await session.change(change.number, *change.operations)
            answer = await session.answer()
            assert answer.number == change.number
            assert answer.refusal.code == request.code.value[0], (request, answer)
            found = refusal_details(answer.refusal)
            (violation,) = found["BadRequest"].field_violations
            assert violation.field == request.field, (request, answer)
            assert found["ErrorInfo"].reason not in ("", "INTERNAL")
        await session.change(len(changes) + 1)
        (last,) = await session.rest()
        assert last.HasField("edited")
    assert not service.log_lines("a call failed")
