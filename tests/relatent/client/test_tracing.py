"""A client in an application that traces itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

import relatent
from relatent.client.tracing import follow
from tests.fixtures.traces import Traces, recording, traceparent
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer
from tests.relatent.client.holding import holding

PIXELS = np.full((8, 8, 3), 9, np.uint8)
CODE = relatent.LatentCode(np.full(fake.SHAPE, 0.5, np.float32), fake.PACK, fake.REVISION)
SMILE = relatent.Move("smile", 1.0)
STREAM, SAMPLE = "relatent.v1.InversionService/InvertStream", "relatent.v1.SynthesisService/Sample"
EDIT_STREAM = "relatent.v1.EditingService/EditStream"


@pytest.fixture
def traces() -> Iterator[Traces]:
    with recording() as found:
        yield found


def listening(told: list[dict[str, str]]) -> fake.Script:
    """Notes what its caller tells of itself, and answers as usual."""

    async def script(request: Any, context: Any) -> AsyncIterator[Any]:
        told.append(dict(context.invocation_metadata()))
        for event in tuple[Any]():
            yield event

    return script


async def test_a_call_is_part_of_what_the_application_is_at_and_tells_the_server_so(
    call: Call, server: FakeServer, traces: Traces
) -> None:
    told: list[dict[str, str]] = []
    server.scripts = [listening(told)]
    with trace.get_tracer("application").start_as_current_span("page"):
        await call(server.address, "sample", [1])
    asked, attempt = traces.one("relatent sample"), traces.one(SAMPLE)
    assert asked.parent is not None
    assert asked.parent.span_id == traces.one("page").context.span_id
    assert traces.parts(asked) == [attempt]
    assert told[0]["traceparent"] == traceparent(attempt)
    assert attempt.kind is SpanKind.CLIENT
    host, _, port = server.address.rpartition(":")
    assert dict(attempt.attributes or {}) == {
        "rpc.system": "grpc",
        "rpc.service": "relatent.v1.SynthesisService",
        "rpc.method": "Sample",
        "rpc.grpc.status_code": 0,
        "relatent.attempt": 1,
        "server.address": host,
        "server.port": int(port),
    }


async def test_each_attempt_is_a_span_linked_to_the_one_before(
    call: Call, server: FakeServer, traces: Traces
) -> None:
    server.scripts = [fake.fails(grpc.StatusCode.UNAVAILABLE, "not now"), fake.nothing]
    await call(server.address, "sample", [1])
    first, second = traces.named(SAMPLE)
    assert first.status.status_code is StatusCode.ERROR
    assert (first.attributes or {})["error.type"] == "UNAVAILABLE"
    assert (first.attributes or {})["rpc.grpc.status_code"] == grpc.StatusCode.UNAVAILABLE.value[0]
    assert second.status.status_code is StatusCode.UNSET
    assert [link.context for link in second.links] == [first.context]
    assert not first.links
    assert traces.one("relatent sample").status.status_code is StatusCode.UNSET


async def test_an_inversion_that_goes_on_elsewhere_is_linked_to_where_it_was(
    call: Call, server: FakeServer, second: FakeServer, traces: Traces
) -> None:
    async def dies(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(5, checkpoint=fake.checkpoint(5))
        await asyncio.sleep(0.05)  # let the message leave
        death = asyncio.create_task(server.die())
        await asyncio.sleep(30)
        await death

    server.scripts = [dies]
    inversion = await call([server.address, second.address], "invert", PIXELS)
    assert inversion.resumed == 1
    lost, went_on = traces.named(STREAM)
    assert [link.context for link in went_on.links] == [lost.context]
    assert lost.attributes is not None
    assert went_on.attributes is not None
    assert lost.attributes["server.port"] != went_on.attributes["server.port"]


async def test_a_call_that_fails_for_good_is_a_failure_without_the_words_of_its_error(
    call: Call, server: FakeServer, traces: Traces
) -> None:
    server.scripts = [fake.fails(grpc.StatusCode.INVALID_ARGUMENT, "secret.png")]
    with pytest.raises(relatent.RelatentError):
        await call(server.address, "sample", [1])
    asked = traces.one("relatent sample")
    assert asked.status.status_code is StatusCode.ERROR
    assert not any("secret" in span.to_json() for span in traces.spans)


@pytest.mark.parametrize("kind", ["blocking", "async"])
async def test_a_session_is_part_of_what_the_application_is_at_and_ends_when_it_is_closed(
    kind: str, server: FakeServer, traces: Traces
) -> None:
    with trace.get_tracer("application").start_as_current_span("page"):
        async with holding(kind, server.address, CODE) as session:
            session.change(SMILE)
            await session.answer()
    async with asyncio.timeout(10):
        while not traces.named("relatent converse"):
            await asyncio.sleep(0.01)
    page, held = traces.one("page"), traces.one("relatent converse")
    assert held.context.trace_id == page.context.trace_id
    assert [part.name for part in traces.parts(held)] == [EDIT_STREAM]


def test_a_call_of_an_application_that_does_not_trace_is_followed_by_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")

    def flow() -> Iterator[Any]:
        yield None

    assert follow(flow()) is follow(flow())  # type: ignore[arg-type]
