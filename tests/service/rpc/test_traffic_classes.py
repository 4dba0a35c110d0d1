"""Classes of calls as requests ask for them, keys allow them, and a server heeds them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from relatent.core.access_keys import keys_document, make_key, new_secret
from relatent.core.traffic import TrafficClass
from relatent.v1 import (
    catalog_pb2,
    diffusion_pb2,
    editing_pb2,
    inversion_pb2,
    restoration_pb2,
    synthesis_pb2,
    types_pb2,
)
from tests.fixtures.requests import code, image, latent, reason, violated
from tests.fixtures.running import Running, running_server
from tests.fixtures.sessions import move, open_session
from tests.service.rpc.asking import inversions, lookups, options

pytestmark = pytest.mark.asyncio(loop_scope="function")

INTERACTIVE, BULK = types_pb2.TRAFFIC_CLASS_INTERACTIVE, types_pb2.TRAFFIC_CLASS_BULK
REFINE, SYNTHESIZE = "tiny_refine", "tiny_synthesize"
ANY, LATER = new_secret(), new_secret()
RESTORE = restoration_pb2.RestorationOptions(preset=restoration_pb2.RESTORATION_PRESET_DENOISE)
REQUESTS: dict[str, Any] = {
    "inversion.Invert": inversion_pb2.InvertRequest(image=image(), options=options(8)),
    "inversion.InvertStream": inversion_pb2.InvertStreamRequest(image=image(), options=options(8)),
    "editing.Edit": editing_pb2.EditRequest(latent=latent(code(1)), operations=[move(1)]),
    "editing.Read": editing_pb2.ReadRequest(image=image()),
    "restoration.Restore": restoration_pb2.RestoreRequest(image=image(), options=RESTORE),
    "restoration.RestoreStream": restoration_pb2.RestoreStreamRequest(image=image(), options=RESTORE),
    "diffusion.Diffuse": diffusion_pb2.DiffuseRequest(
        target=image(), context=image(2), region=editing_pb2.Region(mask=image(3))
    ),
    "synthesis.Synthesize": synthesis_pb2.SynthesizeRequest(latents=[latent(code(1))]),
    "synthesis.Sample": synthesis_pb2.SampleRequest(seeds=[1]),
}


def ask(running: Running, name: str, traffic_class: int, secret: str | None = None) -> Any:
    """A call of a method and a class, begun."""
    service, method = name.split(".")
    request = type(REQUESTS[name])()
    request.CopyFrom(REQUESTS[name])
    request.traffic_class = traffic_class
    metadata = None if secret is None else (("authorization", f"Bearer {secret}"),)
    return getattr(getattr(running, service), method)(request, timeout=20, metadata=metadata)


async def read(call: Any) -> None:
    """Read a call's answers."""
    if isinstance(call, grpc.aio.UnaryUnaryCall):
        await call
    else:
        async for _ in call:
            pass


def let_in(running: Running, traffic_class: TrafficClass) -> float:
    """How many calls of a class got slots so far."""
    return running.metric("relatent_queue_seconds_count", **{"class": traffic_class})


@pytest.fixture
async def keyed(tiny_root: Path, tmp_path: Path) -> AsyncIterator[Running]:
    """A server with a key of each class."""
    path = tmp_path / "keys.json"
    later = make_key("later", LATER, [], None, TrafficClass.BULK)
    path.write_bytes(keys_document([make_key("any", ANY, [], None), later]))
    async with running_server(tiny_root, "--api-keys", str(path)) as server:
        yield server


@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_every_call_that_asks_for_work_has_the_class_that_it_asks_for(
    restoring: Running, name: str
) -> None:
    for number, expected in ((0, "interactive"), (INTERACTIVE, "interactive"), (BULK, "bulk")):
        before = let_in(restoring, TrafficClass(expected))
        await read(ask(restoring, name, number))
        assert let_in(restoring, TrafficClass(expected)) == before + 1


@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_a_class_that_is_none_is_refused_by_every_call(restoring: Running, name: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await read(ask(restoring, name, 7))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated(caught.value) == "traffic_class"
    assert "expected one of INTERACTIVE (1), BULK (2), got 7" in str(caught.value.details())


async def test_so_it_is_by_a_session_which_names_its_opening(running: Running) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        async with open_session(running.editing, traffic_class=7):
            pass
    assert violated(caught.value) == "open.traffic_class"


async def test_the_changes_of_a_session_have_its_class(running: Running) -> None:
    async with open_session(running.editing, traffic_class=BULK) as session:
        await session.change(1, move(0.5))
        assert (await session.answer()).HasField("edited")
    assert let_in(running, TrafficClass.BULK) == 1


async def test_an_edit_of_an_image_has_one_class_for_all_that_it_asks(running: Running) -> None:
    source = editing_pb2.ImageSource(image=image(), options=options(8))
    request = editing_pb2.EditRequest(image=source, operations=[move(1)], traffic_class=BULK)
    await running.editing.Edit(request, timeout=20)
    assert let_in(running, TrafficClass.BULK) == 1


async def test_an_estimate_is_of_the_class_that_the_call_asks_for(tiny_root: Path) -> None:
    async with running_server(tiny_root, "--max-inflight", "4") as running:
        running.engine.hold(REFINE)
        busy = [asyncio.ensure_future(ask(running, "inversion.Invert", BULK)) for _ in range(3)]
        await running.until(lambda: running.metric("relatent_inflight", **{"class": "bulk"}) == 3)

        async def wait(traffic_class: types_pb2.TrafficClass.ValueType) -> float:
            invert = inversion_pb2.InvertRequest(image=image(), traffic_class=traffic_class)
            request = catalog_pb2.EstimateRequest(invert=invert)
            seconds: float = (await running.catalog.Estimate(request)).wait.ToNanoseconds() / 1e9
            return seconds

        assert await wait(INTERACTIVE) == 0
        assert await wait(BULK) > 0, "bulk calls may hold three of four places"
        running.engine.release(REFINE)
        await asyncio.gather(*busy)


@pytest.mark.parametrize(
    ("secret", "number", "expected"),
    [
        (ANY, 0, "interactive"),
        (ANY, BULK, "bulk"),
        (LATER, 0, "bulk"),
        (LATER, BULK, "bulk"),
        (LATER, INTERACTIVE, "bulk"),
    ],
    ids=("none asked for", "bulk", "none, a later key", "bulk, a later key", "interactive, a later key"),
)
async def test_no_call_has_an_earlier_class_than_its_key(
    keyed: Running, secret: str, number: int, expected: str
) -> None:
    await ask(keyed, "inversion.Invert", number, secret)
    assert let_in(keyed, TrafficClass(expected)) == 1


async def test_calls_at_work_that_wait_and_that_are_refused_are_told_by_class(tiny_root: Path) -> None:
    async with running_server(tiny_root, "--max-inflight", "1", "--max-queue", "1") as running:
        running.engine.hold(REFINE)
        first = asyncio.ensure_future(ask(running, "inversion.Invert", 0))
        await running.engine.held(REFINE)
        second = asyncio.ensure_future(ask(running, "inversion.Invert", BULK))
        await running.until(lambda: running.metric("relatent_waiting", **{"class": "bulk"}) == 1)
        assert running.metric("relatent_waiting", **{"class": "interactive"}) == 0
        assert running.metric("relatent_inflight", **{"class": "interactive"}) == 1
        assert running.metric("relatent_inflight", **{"class": "bulk"}) == 0
        with pytest.raises(grpc.RpcError) as caught:
            await ask(running, "inversion.Invert", BULK)
        assert reason(caught.value) == "QUEUE_FULL"
        refused = {"reason": "queue_full"}
        assert running.metric("relatent_rejected_total", **refused, **{"class": "bulk"}) == 1
        assert running.metric("relatent_rejected_total", **refused, **{"class": "interactive"}) == 0
        running.engine.release(REFINE)
        await asyncio.gather(first, second)


async def test_an_interactive_call_does_not_wait_for_an_equal_one_that_is_bulk(caching: Running) -> None:
    caching.engine.hold(REFINE)
    bulk = [asyncio.ensure_future(ask(caching, "inversion.Invert", BULK)) for _ in range(2)]
    await caching.engine.held(REFINE)
    interactive = asyncio.ensure_future(ask(caching, "inversion.Invert", 0))
    await caching.until(lambda: caching.server.admission.inflight == 2)
    assert caching.server.lifecycle.running == 3, "the second bulk call waits for the first"
    caching.engine.release(REFINE)
    await asyncio.gather(*bulk, interactive)
    assert (inversions(caching), lookups(caching, "shared")) == (2, 1)


async def test_what_one_class_found_is_there_for_the_other(caching: Running) -> None:
    await ask(caching, "inversion.Invert", BULK)
    assert (await ask(caching, "inversion.Invert", INTERACTIVE)).result.cached
