"""How the server treats connections."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import grpc
import pytest

import relatent
from relatent.v1 import inversion_pb2, inversion_pb2_grpc
from service.rpc import server
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
