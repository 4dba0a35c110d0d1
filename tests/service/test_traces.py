"""What is seen of a call: from the client to each attempt at the engine, in one trace."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import asynccontextmanager

import grpc
import pytest
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

import relatent
from relatent.v1 import editing_pb2, inversion_pb2
from relatent_service.engine.engine import EngineRejected, EngineUnavailable
from relatent_service.engine.retrying import RetryingEngine
from relatent_service.engine.traced import traced
from relatent_service.telemetry.logs import JsonFormatter
from tests.fixtures.requests import REVISION, code, image, latent
from tests.fixtures.running import running_server
from tests.fixtures.sessions import move, open_session
from tests.fixtures.tiny import random_image
from tests.fixtures.traces import recording

INVERT, INVERT_STREAM = "relatent.v1.InversionService/Invert", "relatent.v1.InversionService/InvertStream"
EDIT, EDIT_STREAM = "relatent.v1.EditingService/Edit", "relatent.v1.EditingService/EditStream"
CODE = relatent.LatentCode(code(1), "tiny", REVISION)
BRIGHTER = relatent.Move("brightness", 1.0)
EDITING = ["wait for a slot", "infer tiny_synthesize", "encode"]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TOLD = {
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "rpc.grpc.status_code",
    "error.type",
    "server.address",
    "server.port",
    "relatent.request_id",
    "relatent.reason",
    "relatent.attempt",
    "relatent.graph",
    "relatent.rows",
    "relatent.steps",
    "relatent.change",
    "relatent.dropped",
    "relatent.cancelled",
}
"""All attributes there are."""


@pytest.fixture
def traces():
    with recording() as found:
        yield found
        for span in found.spans:
            attributes = span.attributes or {}
            assert attributes.keys() <= TOLD
            assert all(len(str(value)) < 80 for value in attributes.values())
            assert not span.events, "an exception's words may quote what a caller sent"


@asynccontextmanager
async def serving(root, *flags):
    def around(engine):
        return RetryingEngine(traced(engine), lambda: None)

    async with running_server(root, *flags, around=around) as running:
        yield running


@pytest.fixture
async def served(traces, tiny_root):
    async with serving(tiny_root) as running:
        yield running


@pytest.fixture
async def client(served):
    async with relatent.AsyncClient(served.address, timeout=20) as client:
        yield client


async def ended(served, traces, name):
    """The server's span of a call, once it has ended, which may be after its caller has its answer."""
    await served.until(lambda: traces.named(name, SpanKind.SERVER))
    return traces.one(name, SpanKind.SERVER)


def check_one_trace(traces, asked, method):
    """Check that what was asked of the client led to an attempt, and that to the server's call."""
    whole, attempt = traces.one(asked), traces.one(method, SpanKind.CLIENT)
    call = traces.one(method, SpanKind.SERVER)
    assert whole.parent is None
    assert attempt.parent.span_id == whole.context.span_id
    assert (call.parent.span_id, call.parent.is_remote) == (attempt.context.span_id, True)
    assert len({span.context.trace_id for span in traces.spans}) == 1


async def test_the_rehearsal_is_on_nobodys_behalf_and_leaves_no_span(served, traces):
    assert traces.spans == []


async def test_an_inversion_is_seen_from_the_client_to_each_engine_call(served, client, traces):
    await client.invert(random_image(1), steps=20)
    call = await ended(served, traces, INVERT_STREAM)
    check_one_trace(traces, "relatent invert", INVERT_STREAM)
    assert traces.part_names(call) == [
        "wait for a slot",
        "decode",
        "infer tiny_encode",
        "infer tiny_refine",
        "infer tiny_synthesize",
        "infer tiny_assess",
        "encode",
    ]
    chunks = traces.named("infer tiny_refine", SpanKind.CLIENT)
    assert sum(chunk.attributes["relatent.steps"] for chunk in chunks) == 20
    assert {chunk.attributes["relatent.rows"] for chunk in chunks} == {1}
    assert len([graph for graph, _ in served.engine.calls if graph == "tiny_refine"]) == len(chunks)
    assert dict(call.attributes) | {"relatent.request_id": ""} == {
        "rpc.system": "grpc",
        "rpc.service": "relatent.v1.InversionService",
        "rpc.method": "InvertStream",
        "rpc.grpc.status_code": 0,
        "relatent.request_id": "",
    }


async def test_an_edit_is_seen_with_how_many_images_an_engine_call_makes(served, client, traces):
    await client.edit(CODE, [relatent.Move("brightness", [-1.0, 0.0, 1.0])])
    call = await ended(served, traces, EDIT)
    check_one_trace(traces, "relatent edit", EDIT)
    assert traces.part_names(call) == EDITING
    attributes = traces.one("infer tiny_synthesize").attributes
    assert dict(attributes) == {"relatent.graph": "tiny_synthesize", "relatent.rows": 3}


async def test_an_engine_call_that_is_repeated_is_seen_as_often_with_what_was_wrong(served, client, traces):
    served.engine.errors["tiny_synthesize"] = [EngineUnavailable("the words of an error")]
    await client.edit(CODE, [BRIGHTER])
    call = await ended(served, traces, EDIT)
    check_one_trace(traces, "relatent edit", EDIT)
    failed, well = traces.named("infer tiny_synthesize")
    assert {failed.parent.span_id, well.parent.span_id} == {call.context.span_id}
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "EngineUnavailable"
    assert well.status.status_code is StatusCode.UNSET
    assert failed.end_time < well.start_time
    assert call.status.status_code is StatusCode.UNSET


async def test_each_change_of_a_session_is_seen_with_its_engine_calls(served, client, traces):
    async with client.edit_session(CODE) as session:
        for number in (1, 2):
            session.change([relatent.Move("brightness", number / 10)])
            await session.answer()
        session.finish()
        assert [answer async for answer in session] == []
    call = await ended(served, traces, EDIT_STREAM)
    (opening,) = traces.named("relatent prepare")
    traces_of_session = {span.context.trace_id for span in traces.spans if span is not opening}
    assert traces_of_session == {call.context.trace_id}
    attempt = traces.one(EDIT_STREAM, SpanKind.CLIENT)
    assert call.parent.span_id == attempt.context.span_id
    assert attempt.parent.span_id == traces.one("relatent converse").context.span_id
    changes = traces.parts(call)
    assert [change.attributes["relatent.change"] for change in changes] == [1, 2]
    assert [traces.part_names(change) for change in changes] == [EDITING, EDITING]


async def test_a_change_that_is_refused_says_why(served, traces):
    async with open_session(served.editing) as session:
        await session.change(1, editing_pb2.Operation())
        assert (await session.answer()).HasField("refusal")
        await session.change(2, move(0.5))
        await session.answer()
        await session.rest()
    await ended(served, traces, EDIT_STREAM)
    refused, answered = traces.named("change")
    assert refused.attributes["relatent.reason"] == "INVALID_FIELD"
    assert "relatent.reason" not in answered.attributes


@pytest.mark.parametrize("method", ["InvertStream", "Invert"])
async def test_the_spans_of_a_call_end_when_its_caller_hangs_up(served, traces, method):
    served.engine.hold("tiny_refine")
    request = {"Invert": inversion_pb2.InvertRequest, "InvertStream": inversion_pb2.InvertStreamRequest}
    call = getattr(served.inversion, method)(request[method](image=image()))
    await served.engine.held("tiny_refine")
    call.cancel()
    span = await ended(served, traces, f"relatent.v1.InversionService/{method}")
    assert span.attributes["rpc.grpc.status_code"] == grpc.StatusCode.CANCELLED.value[0]
    assert span.status.status_code is StatusCode.UNSET, "which is no fault of the server's"
    assert traces.one("infer tiny_refine").attributes["relatent.cancelled"] is True


async def test_a_call_that_fails_has_its_code_and_its_reason(served, traces):
    with pytest.raises(grpc.RpcError):
        await served.inversion.Invert(inversion_pb2.InvertRequest())
    refused = await ended(served, traces, INVERT)
    assert refused.attributes["rpc.grpc.status_code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert refused.attributes["relatent.reason"] == "IMAGE_MISSING"
    assert refused.status.status_code is StatusCode.UNSET, "which is its caller's doing"
    traces.clear()
    served.engine.errors["tiny_encode"] = [EngineRejected("the words of an error")]
    with pytest.raises(grpc.RpcError):
        await served.inversion.Invert(inversion_pb2.InvertRequest(image=image()))
    failed = await ended(served, traces, INVERT)
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "INTERNAL"


async def test_waiting_for_a_slot_is_seen(traces, tiny_root):
    async with serving(tiny_root, "--max-inflight", "1") as served:
        served.engine.hold("tiny_synthesize")
        request = editing_pb2.EditRequest(latent=latent(code(1)))
        first = asyncio.create_task(_answer(served, request))
        await served.engine.held("tiny_synthesize")
        second = asyncio.create_task(_answer(served, request))
        await served.until(lambda: served.metric("relatent_waiting") == 1)
        served.engine.release("tiny_synthesize")
        await asyncio.gather(first, second)
    one, other = sorted(traces.named("infer tiny_synthesize"), key=lambda span: span.start_time)
    (waited,) = [span for span in traces.named("wait for a slot") if span.parent == other.parent]
    assert waited.end_time - waited.start_time > 0
    assert one.end_time <= waited.end_time <= other.start_time


async def _answer(served, request):
    return await served.editing.Edit(request, timeout=20)


@pytest.mark.parametrize(
    ("told", "joins"),
    [
        (f"00-{TRACE}-{PARENT}-01", True),
        (f"00-{TRACE}-{PARENT}", False),
        ("00-" + "0" * 32 + f"-{PARENT}-01", False),
        ("x" * 4000, False),
        ("", False),
    ],
)
async def test_a_call_joins_the_trace_that_its_caller_names_and_begins_one_where_that_is_none(
    served, traces, told, joins
):
    metadata = (("traceparent", told),)
    await served.editing.Edit(editing_pb2.EditRequest(latent=latent(code(1))), metadata=metadata)
    call = await ended(served, traces, EDIT)
    assert (f"{call.context.trace_id:032x}" == TRACE) is joins
    assert (call.parent is not None) is joins


async def test_of_a_trace_that_its_caller_does_not_sample_nothing_is_kept(served, traces):
    metadata = (("traceparent", f"00-{TRACE}-{PARENT}-00"),)
    await served.editing.Edit(editing_pb2.EditRequest(latent=latent(code(1))), metadata=metadata)
    await served.until(lambda: served.metric("grpc_server_handled_total", **_labels("Edit", "OK")) == 1)
    assert traces.spans == []
    assert TRACE not in openmetrics.generate_latest(served.server.metrics.registry).decode()


def _labels(method, code):
    service = {"grpc_type": "unary", "grpc_service": "relatent.v1.EditingService"}
    return {**service, "grpc_method": method, "grpc_code": code}


async def test_the_latency_histogram_leads_to_a_trace_for_those_who_ask_for_open_metrics(served, traces):
    metadata = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)
    await served.editing.Edit(editing_pb2.EditRequest(latent=latent(code(1))), metadata=metadata)
    await ended(served, traces, EDIT)
    registry = served.server.metrics.registry
    lines = openmetrics.generate_latest(registry).decode().splitlines()
    (line,) = [line for line in lines if TRACE in line]
    span = traces.one(EDIT).context.span_id
    ending = rf'# {{span_id="{span:016x}",trace_id="{TRACE}"}} [0-9.e-]+ [0-9.e+]+'
    assert re.fullmatch(r"grpc_server_handling_seconds_bucket{.*} 1\.0 " + ending, line)
    assert TRACE not in generate_latest(registry).decode()


async def test_lines_of_the_log_name_the_trace_of_their_call(served, traces, caplog):
    formatted = []

    class Handler(logging.Handler):
        def emit(self, record):
            formatted.append(JsonFormatter().format(record))

    handler, logger = Handler(), logging.getLogger("relatent_service.rpc.interceptors")
    logger.addHandler(handler)
    try:
        with caplog.at_level("INFO", logger.name):
            metadata = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)
            await served.editing.Edit(editing_pb2.EditRequest(latent=latent(code(1))), metadata=metadata)
            await ended(served, traces, EDIT)
    finally:
        logger.removeHandler(handler)
    assert f'"trace_id": "{TRACE}"' in formatted[-1]
