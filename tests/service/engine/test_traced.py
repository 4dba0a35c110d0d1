"""What a Triton server is told of the trace that a call belongs to."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from relatent.core.tracing import first_span, span_of_caller
from relatent_service.engine.engine import Array
from relatent_service.engine.traced import TracedEngine, traced
from relatent_service.engine.triton import TritonEngine
from tests.fixtures.traces import recording, traceparent
from tests.service.engine.fake_triton import FakeTriton

X: dict[str, Array] = {"x": np.array([[3.0], [4.0]], np.float32)}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def traces():
    with recording() as found:
        yield found


@pytest.fixture
async def server():
    server = await FakeTriton().start()
    yield server
    await server.stop()


@pytest.fixture
async def engine(server):
    engine = TritonEngine([server.address])
    await engine.start()
    yield TracedEngine(engine)
    await engine.stop()


async def test_triton_is_told_the_span_of_its_call(engine, server, traces):
    with first_span("call"):
        await engine.infer("toy_half", X)
    attempt = traces.one("infer toy_half")
    assert server.told == {"traceparent": traceparent(attempt)}
    assert attempt.parent.span_id == traces.one("call").context.span_id
    assert attempt.attributes["server.address"] == server.address
    assert attempt.attributes["relatent.rows"] == 2


async def test_triton_is_told_nothing_where_nothing_is_traced(engine, server, monkeypatch):
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    await engine.infer("toy_half", X)
    assert server.told == {}


async def test_triton_is_told_the_trace_of_a_caller_and_nothing_else_that_it_sent(engine, server, traces):
    with span_of_caller("call", sent(sampled=True)):
        await engine.infer("toy_half", X)
    assert server.told == {"traceparent": traceparent(traces.one("infer toy_half"))}
    assert TRACE in server.told["traceparent"]


async def test_triton_is_told_nothing_of_a_trace_that_is_not_sampled(engine, server, traces):
    with span_of_caller("call", sent(sampled=False)):
        await engine.infer("toy_half", X)
    assert server.told == {}
    assert traces.spans == []


def sent(*, sampled):
    return (
        ("traceparent", f"00-{TRACE}-{PARENT}-{int(sampled):02x}"),
        ("tracestate", "vendor=" + "x" * 200),
        ("baggage", "user=somebody"),
    )


def test_where_nothing_is_traced_an_engine_stays_as_it_is(monkeypatch):
    engine = TritonEngine(["127.0.0.1:1"])
    assert isinstance(traced(engine), TracedEngine)
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert traced(engine) is engine
