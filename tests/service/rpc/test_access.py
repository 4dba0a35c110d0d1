"""Who is let in, for what, and what those are told who are not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from relatent.core.access_keys import AccessKey, keys_document, make_key, new_secret
from relatent.v1 import (
    catalog_pb2,
    editing_pb2,
    inversion_pb2,
    synthesis_pb2,
    types_pb2,
)
from relatent_service.access import wrong_keys
from relatent_service.access.wrong_keys import FREE
from tests.fixtures.every_call import every_call, once
from tests.fixtures.requests import code, details, latent, reason, violated
from tests.fixtures.running import Running, running_server
from tests.fixtures.sessions import move, open_session
from tests.fixtures.tiny import write_tiny

pytestmark = pytest.mark.asyncio(loop_scope="function")

ALL, TINY, NEITHER, EXPIRED = (new_secret() for _ in range(4))
Code = grpc.StatusCode


@pytest.fixture(scope="module")
def two_packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("two")
    write_tiny(root)
    write_tiny(root, name="other", revision="2" * 64)
    return root


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    ago = datetime.now(UTC) - timedelta(seconds=1)
    write(
        path,
        make_key("all", ALL, [], None),
        make_key("tiny", TINY, ["tiny"], None),
        make_key("neither", NEITHER, ["gone"], None),
        make_key("expired", EXPIRED, [], ago),
    )
    return path


def write(path: Path, *keys: AccessKey) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(keys_document(keys))
    new.replace(path)


@pytest.fixture
def serving(two_packs: Path, keys: Path) -> Callable[..., AbstractAsyncContextManager[Running]]:
    return lambda *flags: running_server(two_packs, "--api-keys", str(keys), *flags)


@pytest.fixture
async def running(serving: Any) -> AsyncIterator[Running]:
    async with serving() as server:
        yield server


def shown(secret: str) -> Any:
    return (("authorization", f"Bearer {secret}"),)


async def refused(call: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await (_read(call) if hasattr(call, "read") else call)
    return caught.value


async def _read(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


def other_latent(**changes: Any) -> types_pb2.Latent:
    return latent(code(1), **{"pack": "other", "revision": "2" * 64, **changes})


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ((), "KEY_MISSING"),
        ((("authorization", ALL),), "KEY_MISSING"),
        (shown("wrong"), "KEY_UNKNOWN"),
        (shown(EXPIRED), "KEY_EXPIRED"),
    ],
)
async def test_without_a_key_that_is_let_in_every_call_is_refused(
    metadata: Any, told: str, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrong_keys, "FREE", 1000)
    listing = running.catalog.ListPacks(catalog_pb2.ListPacksRequest(), metadata=metadata, timeout=20)
    for call in [listing, *every_call(running, "tiny", metadata).values()]:
        error = await refused(call)
        assert (error.code(), reason(error)) == (Code.UNAUTHENTICATED, told)


async def test_refused_calls_are_counted_and_logged_as_all_others(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        await refused(running.catalog.ListPacks(catalog_pb2.ListPacksRequest(), timeout=20))
        await running.catalog.ListPacks(catalog_pb2.ListPacksRequest(), metadata=shown(TINY), timeout=20)
    labels = {"grpc_type": "unary", "grpc_service": "relatent.v1.CatalogService", "grpc_method": "ListPacks"}
    handled = "grpc_server_handled_total"
    assert running.metric(handled, grpc_code="UNAUTHENTICATED", **labels) == 1
    assert running.metric(handled, grpc_code="OK", **labels) == 1
    one, two = [record for record in caplog.records if record.getMessage() == "call"]
    assert (vars(one)["reason"], vars(one).get("key")) == ("KEY_MISSING", None)
    assert vars(two)["key"] == "tiny"


async def test_a_key_for_another_pack_is_refused_by_every_call_that_names_one(running: Running) -> None:
    for name, call in every_call(running, "other", shown(TINY)).items():
        error = await refused(call)
        assert (error.code(), reason(error)) == (Code.PERMISSION_DENIED, "PACK_NOT_ALLOWED"), name
        assert violated(error).endswith("pack"), name
        assert "the API key 'tiny' is not for 'other'; it may use: tiny" in str(error.details())


async def test_a_key_for_all_packs_and_one_for_the_pack_go_through(running: Running) -> None:
    for pack, secret in (("other", ALL), ("tiny", TINY)):
        request = synthesis_pb2.SampleRequest(pack=pack, seeds=[1])
        assert (await running.synthesis.Sample(request, metadata=shown(secret), timeout=20)).images


async def test_the_catalog_lists_what_the_key_is_for(running: Running) -> None:
    async def listed(secret: str) -> list[str]:
        request = catalog_pb2.ListPacksRequest()
        answer = await running.catalog.ListPacks(request, metadata=shown(secret), timeout=20)
        return [pack.name for pack in answer.packs]

    assert await listed(ALL) == ["other", "tiny"]
    assert await listed(TINY) == ["tiny"]
    assert await listed(NEITHER) == []


async def test_without_a_name_it_is_the_only_pack_that_the_key_is_for(running: Running) -> None:
    request = catalog_pb2.GetPackRequest()
    answer = await running.catalog.GetPack(request, metadata=shown(TINY), timeout=20)
    assert answer.pack.name == "tiny"
    error = await refused(running.catalog.GetPack(request, metadata=shown(ALL), timeout=20))
    assert (error.code(), reason(error)) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
    error = await refused(running.catalog.GetPack(request, metadata=shown(NEITHER), timeout=20))
    assert (error.code(), reason(error)) == (Code.PERMISSION_DENIED, "PACK_NOT_ALLOWED")


async def test_a_key_for_some_packs_does_not_tell_which_others_there_are(running: Running) -> None:
    told = []
    for pack in ("other", "nowhere"):
        request = catalog_pb2.GetPackRequest(pack=pack)
        error = await refused(running.catalog.GetPack(request, metadata=shown(TINY), timeout=20))
        told.append((error.code(), str(error.details()).replace(pack, "X")))
    assert told[0] == told[1]


async def test_a_code_of_another_pack_does_not_come_in_beside_one_that_is_allowed(running: Running) -> None:
    request = synthesis_pb2.SynthesizeRequest(latents=[latent(code(1)), other_latent()])
    error = await refused(running.synthesis.Synthesize(request, metadata=shown(TINY), timeout=20))
    assert error.code() is Code.INVALID_ARGUMENT
    mixed = editing_pb2.Operation(
        interpolation=editing_pb2.Interpolation(other=other_latent(), amounts=[0.5])
    )
    edit = editing_pb2.EditRequest(latent=latent(code(1)), operations=[mixed])
    assert (await refused(running.editing.Edit(edit, metadata=shown(TINY), timeout=20))).code() in (
        Code.INVALID_ARGUMENT,
        Code.FAILED_PRECONDITION,
    )


async def test_many_wrong_keys_are_put_off_and_right_ones_are_not(running: Running) -> None:
    request = catalog_pb2.ListPacksRequest()
    for _ in range(FREE):
        error = await refused(running.catalog.ListPacks(request, metadata=shown("wrong"), timeout=20))
        assert reason(error) == "KEY_UNKNOWN"
    error = await refused(running.catalog.ListPacks(request, metadata=shown("wrong"), timeout=20))
    assert (error.code(), reason(error)) == (Code.RESOURCE_EXHAUSTED, "TOO_MANY_WRONG_KEYS")
    assert details(error)["RetryInfo"].retry_delay.ToMilliseconds() > 0
    assert running.metric("relatent_rejected_total", reason="too_many_wrong_keys") == 1
    await running.catalog.ListPacks(request, metadata=shown(ALL), timeout=20)


async def test_what_is_not_let_in_is_not_received(running: Running) -> None:
    large = inversion_pb2.InvertRequest(image=types_pb2.Image(data=b"x" * (60 << 20)))
    error = await refused(running.inversion.Invert(large, timeout=20))
    assert reason(error) == "KEY_MISSING"  # and not that it is too large


async def test_a_session_ends_when_its_key_is_revoked(running: Running, keys: Path) -> None:
    call = running.editing.EditStream(metadata=shown(TINY), timeout=20)
    opening = editing_pb2.EditSessionOpening(latent=latent(code(1)))
    await call.write(editing_pb2.EditStreamRequest(open=opening))
    assert (await call.read()).HasField("opened")
    write(keys, make_key("all", ALL, [], None))
    assert running.server.access.keys is not None
    running.server.access.keys.renew()
    await call.write(
        editing_pb2.EditStreamRequest(change=editing_pb2.EditChange(number=1, operations=[move(1)]))
    )
    error = await refused(call)
    assert (error.code(), reason(error)) == (Code.UNAUTHENTICATED, "KEY_UNKNOWN")


async def test_health_is_open(running: Running) -> None:
    stub = health_pb2_grpc.HealthStub(running.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("switch", ["yes", "no"])
async def test_reflection_is_as_the_switch_says(switch: str, serving: Any) -> None:
    async with serving("--reflection", switch) as running:
        stub = reflection_pb2_grpc.ServerReflectionStub(running.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        call = stub.ServerReflectionInfo(once(request), timeout=20)
        if switch == "yes":
            assert (await call.read()).list_services_response.service
        else:
            assert (await refused(call)).code() is Code.UNIMPLEMENTED


async def test_without_a_file_of_keys_a_key_that_is_sent_is_no_matter(two_packs: Path) -> None:
    async with running_server(two_packs) as running:
        request = catalog_pb2.ListPacksRequest()
        assert (await running.catalog.ListPacks(request, metadata=shown("any"), timeout=20)).packs
        async with open_session(running.editing):
            pass
