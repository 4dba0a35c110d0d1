"""How the server treats connections."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import grpc
import pytest

import relatent
from relatent.v1 import catalog_pb2, inversion_pb2, inversion_pb2_grpc
from relatent_service.flag_values import MOST_BYTES, MOST_SECONDS
from relatent_service.rpc import server
from tests.fixtures import tiny
from tests.fixtures.requests import image
from tests.fixtures.running import Running, running_server
from tests.fixtures.wire import Wire


def handled(running: Running) -> dict[str, float]:
    """How many calls of ours ended with each code."""
    counts: dict[str, float] = {}
    for family in running.server.metrics.registry.collect():
        for sample in family.samples:
            if sample.name == "grpc_server_handled_total" and sample.value:
                code = sample.labels["grpc_code"]
                counts[code] = counts.get(code, 0.0) + sample.value
    return counts


async def test_a_compressed_message_is_refused_as_it_is(tiny_root: Path) -> None:
    """gRPC would inflate it before it looks at its size: a megabyte to a gigabyte."""
    async with running_server(tiny_root) as running:
        call = running.channel.unary_unary("/relatent.v1.CatalogService/GetPack")
        with pytest.raises(grpc.RpcError) as caught:
            await call(bytes(1 << 20), timeout=10, compression=grpc.Compression.Gzip)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "gzip" in caught.value.details()
        assert handled(running) == {}, "no method of ours has seen it"
        await running.catalog.GetPack(catalog_pb2.GetPackRequest(), timeout=10)


async def test_streams_whose_callers_hang_up_at_any_time_are_cancelled_and_no_fault_of_ours(
    tiny_root: Path,
) -> None:
    """Also in the moment in which a message is written to them."""
    async with running_server(tiny_root) as running:
        options = inversion_pb2.InversionOptions(refinement=inversion_pb2.Refinement(steps=2000))
        request = inversion_pb2.InvertStreamRequest(
            image=image(), options=options, preview_every=1, checkpoint_every=1
        )

        async def hang_up(after: float) -> None:
            call = running.inversion.InvertStream(request, timeout=300)
            await call.read()
            await asyncio.sleep(after)
            call.cancel()

        for _ in range(4):
            await asyncio.gather(*(hang_up(0.0007 * n) for n in range(30)))
        await running.until(lambda: sum(handled(running).values()) == 120, seconds=20)
        assert handled(running) == {"CANCELLED": 120}


async def test_a_client_outlives_its_connections_without_a_failed_call(
    tiny_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pixels, calls = tiny.random_image(1), 0
    async with (
        running_server(tiny_root, "--max-connection-age-seconds", "1") as running,
        Wire(running.address) as wire,
        relatent.AsyncClient(wire.address) as client,
    ):
        # At so much a chunk, one inversion outlives two connections or more.
        running.engine.delay = 0.05
        steps = 50 * tiny.MAX_STEPS
        long = asyncio.create_task(client.invert(pixels, steps=steps))
        end = time.monotonic() + 3.5
        while time.monotonic() < end:
            await client.sample([calls])
            calls += 1
        inversion = await long
        assert (inversion.steps, inversion.resumed) == (steps, 0)
        assert wire.connections >= 3
        assert handled(running) == {"OK": calls + 1}
    assert [record for record in caplog.records if record.name == "relatent"] == [], "no call was repeated"


async def test_a_caller_that_vanished_without_a_word_gives_its_place_back(
    tiny_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEPALIVE_MILLISECONDS", 900)
    async with running_server(tiny_root) as running, Wire(running.address) as wire:
        running.engine.hold("tiny_refine")
        async with grpc.aio.insecure_channel(wire.address) as channel:
            stub = inversion_pb2_grpc.InversionServiceStub(channel)
            call = stub.InvertStream(inversion_pb2.InvertStreamRequest(image=image()), timeout=120)
            await running.engine.held("tiny_refine")
            assert running.metric("relatent_inflight") == 1
            wire.cut()
            await running.until(lambda: running.metric("relatent_inflight") == 0, seconds=20)
            call.cancel()


async def test_the_largest_settings_that_are_taken_can_be_served_with(tiny_root: Path) -> None:
    flags = ["--max-message-bytes", str(MOST_BYTES), "--max-connection-age-seconds", str(MOST_SECONDS)]
    async with running_server(tiny_root, *flags) as running:
        await running.catalog.GetPack(catalog_pb2.GetPackRequest(), timeout=10)
