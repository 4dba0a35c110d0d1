"""Several Triton servers: turns, failover, coming back, and what their errors mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import numpy as np
import pytest

from relatent_service.engine import replica, triton
from relatent_service.engine.engine import (
    Array,
    EngineConfused,
    EngineRejected,
    EngineTimedOut,
    EngineUnavailable,
)
from relatent_service.engine.triton import TritonEngine
from tests.fixtures.wire import Wire
from tests.service.engine.fake_triton import FakeTriton

pytestmark = pytest.mark.asyncio(loop_scope="session")

X: dict[str, Array] = {"x": np.array([[3.0]], np.float32)}


@asynccontextmanager
async def connected(*servers: FakeTriton) -> AsyncIterator[TritonEngine]:
    for server in servers:
        await server.start()
    engine = TritonEngine([server.address for server in servers])
    await engine.start()
    try:
        # `start` returns with the first that is ready; most tests want all.
        async with asyncio.timeout(10):
            for replica in engine._replicas:
                await replica.arrived.wait()
        yield engine
    finally:
        await engine.stop()
        await asyncio.gather(*(server.stop() for server in servers))


async def recovery(engine: TritonEngine) -> None:
    async with asyncio.timeout(10):  # gRPC's own patience would be longer
        while not await engine.healthy():
            await asyncio.sleep(0.02)


async def half(engine: TritonEngine) -> float:
    return float((await engine.infer("toy_half", X, timeout=5)).outputs["y"][0, 0])


async def test_servers_get_calls_in_turn() -> None:
    servers = [FakeTriton(), FakeTriton(), FakeTriton()]
    async with connected(*servers) as engine:
        assert [await half(engine) for _ in range(9)] == [1.5] * 9
    assert [server.calls for server in servers] == [3, 3, 3]


async def test_no_call_is_lost_when_one_of_two_servers_goes() -> None:
    servers = [FakeTriton(), FakeTriton()]
    async with connected(*servers) as engine:
        await half(engine)
        await servers[0].stop()
        assert [await half(engine) for _ in range(8)] == [1.5] * 8
        assert await engine.healthy()


async def test_chunks_of_one_moment_go_to_as_many_servers_as_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(triton, "STEPS", "x")  # by which chunks of refinements are known
    servers = [FakeTriton(), FakeTriton()]
    async with connected(*servers) as engine:
        assert await asyncio.gather(*(half(engine) for _ in range(6))) == [1.5] * 6
        assert [server.calls for server in servers] == [1, 1]
        await servers[0].stop()
        assert await asyncio.gather(*(half(engine) for _ in range(4))) == [1.5] * 4
        assert await engine.healthy()


async def test_a_server_that_comes_back_gets_calls_again_soon() -> None:
    first = FakeTriton()
    async with connected(first) as engine:
        await first.stop()
        with pytest.raises(EngineUnavailable):
            await half(engine)
        assert not await engine.healthy()
        await asyncio.sleep(1)  # attempts to connect fail meanwhile
        second = await FakeTriton(port=first.port).start()
        await recovery(engine)
        assert await half(engine) == 1.5
        await second.stop()


async def test_a_server_that_comes_back_with_other_graphs_gets_no_calls() -> None:
    first = FakeTriton(revision="1")
    async with connected(first) as engine:
        await first.stop()
        with pytest.raises(EngineUnavailable):
            await half(engine)
        second = await FakeTriton(revision="2", port=first.port).start()
        async with asyncio.timeout(10):
            while second.configs_read == 0:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        with pytest.raises(EngineUnavailable, match="not those of the start: toy_half"):
            await half(engine)
        assert not await engine.healthy()
        assert second.calls == 0
        await second.stop()


async def test_a_server_gone_silent_is_given_up_and_its_calls_go_to_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replica, "WATCH_SECONDS", 0.1)
    # Time enough for the healthy one on a busy machine.
    monkeypatch.setattr(replica, "SILENCE_SECONDS", 2.0)
    first, second = await FakeTriton().start(), await FakeTriton().start()
    async with Wire(first.address) as wire:
        engine = TritonEngine([wire.address, second.address])
        await engine.start()
        async with asyncio.timeout(10):
            for server in engine._replicas:
                await server.arrived.wait()
        wire.cut()
        # Without a limit of their own: nothing but the server's silence ends the attempts at it.
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*(engine.infer("toy_half", X) for _ in range(4)))
        assert [float(answer.outputs["y"][0, 0]) for answer in answers] == [1.5] * 4
        assert (first.calls, second.calls) == (0, 4)
        assert not engine._replicas[0].arrived.is_set()
        assert "has not answered" in engine._replicas[0].reason or "UNAVAILABLE" in engine._replicas[0].reason
        assert await engine.healthy()
        assert [await half(engine) for _ in range(4)] == [1.5] * 4
        assert (first.calls, second.calls) == (0, 8), "nobody asks the silent one again"
        wire.mend()
        async with asyncio.timeout(20):
            await engine._replicas[0].arrived.wait()
            while first.calls == 0:
                await half(engine)
        await engine.stop()
    await asyncio.gather(first.stop(), second.stop())


async def test_a_server_that_lost_a_graph_gets_no_calls() -> None:
    servers = [FakeTriton(), FakeTriton()]
    async with connected(*servers) as engine:
        servers[0].state = "UNAVAILABLE"
        async with asyncio.timeout(10):
            while engine._replicas[0].arrived.is_set():
                await asyncio.sleep(0.02)
        assert [await half(engine) for _ in range(4)] == [1.5] * 4
        assert servers[0].calls == 0


async def test_healthy_means_that_every_graph_is_ready() -> None:
    server = FakeTriton()
    async with connected(server) as engine:
        assert await engine.healthy()
        server.state = "UNAVAILABLE"
        assert not await engine.healthy()


async def test_start_waits_for_models_and_gives_up_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton, "START_SECONDS", 2)
    server = await FakeTriton().start()
    server.state = "LOADING"
    engine = TritonEngine([server.address])
    with pytest.raises(EngineUnavailable, match="toy_half is LOADING"):
        await engine.start()
    monkeypatch.setattr(triton, "START_SECONDS", 60)
    starting = asyncio.create_task(engine.start())
    await asyncio.sleep(0.2)
    assert not starting.done()
    server.state = "READY"
    await starting
    assert list(engine.graphs) == ["toy_half"]
    await engine.stop()
    await server.stop()


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (grpc.StatusCode.UNAVAILABLE, "unloading", EngineUnavailable),
        (grpc.StatusCode.INTERNAL, "Stub process 'toy_half_0_0' is not healthy.", EngineConfused),
        (
            grpc.StatusCode.INTERNAL,
            "Failed to increase the shared memory pool size",
            EngineUnavailable,
        ),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "late", EngineTimedOut),
        (grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape", EngineRejected),
        (grpc.StatusCode.INTERNAL, "onnxruntime failed", EngineRejected),
        (grpc.StatusCode.NOT_FOUND, "no such model", EngineRejected),
    ],
)
async def test_tritons_errors_are_told_apart(
    code: grpc.StatusCode, text: str, expected: type[Exception]
) -> None:
    server = FakeTriton()
    async with connected(server) as engine:
        server.failure = (code, text)
        with pytest.raises(expected, match=text):
            await half(engine)


async def test_an_answer_without_outputs_is_none_and_the_call_may_be_repeated() -> None:
    server = FakeTriton()
    async with connected(server) as engine:
        server.hollow = True
        with pytest.raises(EngineConfused, match="an answer without y"):
            await half(engine)


async def test_of_an_answer_without_some_outputs_those_are_named_that_are_missing() -> None:
    server = FakeTriton()
    async with connected(server) as engine:
        graph = engine._graphs["toy_half"]
        outputs = dict.fromkeys("xyz", graph.outputs["y"])
        engine._graphs = {"toy_half": replace(graph, outputs=outputs)}
        with pytest.raises(EngineConfused, match=r"an answer without x, z$"):
            await half(engine)


async def test_malformed_inputs_never_leave_this_process() -> None:
    server = FakeTriton()
    async with connected(server) as engine:
        with pytest.raises(EngineRejected, match=r"x: expected float32 \[batch, 1\], got float64 \[1, 1\]"):
            await engine.infer("toy_half", {"x": np.array([[3.0]])})
        with pytest.raises(EngineRejected, match="no graph 'toy_whole'; there are: toy_half"):
            await engine.infer("toy_whole", X)
    assert server.calls == 0


async def test_an_engine_needs_an_address() -> None:
    with pytest.raises(ValueError, match="at least one address"):
        TritonEngine([])
