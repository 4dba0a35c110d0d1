"""A real service and its Triton, before a collector: their spans make one trace."""

from __future__ import annotations

from pathlib import Path

import grpc

from relatent.v1 import editing_pb2, editing_pb2_grpc
from tests.fixtures.collector import CollectedSpan, collecting
from tests.fixtures.demo_service import serving
from tests.fixtures.requests import code, latent

CALLS = 8
PARENT = "b7ad6b7169203331"
UNSAMPLED = "f" * 32


def test_spans_of_a_service_and_of_its_triton_make_one_trace(tiny_root: Path, tmp_path: Path) -> None:
    with collecting() as collector:
        # The service's own exporter waits five seconds, but for that.
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with (
            serving(tiny_root, tmp_path, environment, engine="embedded") as address,
            grpc.insecure_channel(address) as channel,
        ):
            stub = editing_pb2_grpc.EditingServiceStub(channel)
            for number in range(1, CALLS + 1):
                request = editing_pb2.EditRequest(latent=latent(code(number)))
                metadata = (("traceparent", f"00-{number:032x}-{PARENT}-01"),)
                stub.Edit(request, metadata=metadata, timeout=30)
            # Nobody wants to be told of this one.
            metadata = (("traceparent", f"00-{UNSAMPLED}-{PARENT}-00"),)
            stub.Edit(editing_pb2.EditRequest(latent=latent(code(0))), metadata=metadata, timeout=30)
            collector.wait(lambda spans: len(_engine_calls(spans)) == CALLS and bool(_of_triton(spans)))
    calls = _engine_calls(collector.spans)
    assert {int(call.trace, 16) for call in calls} == set(range(1, CALLS + 1))
    assert {span.service for span in collector.spans} == {"relatent", "triton"}
    assert not [span for span in collector.spans if span.trace == UNSAMPLED]
    # Not each of Triton's comes, nor has its parent: hence ours.
    joined = [span for span in _of_triton(collector.spans) if span.parent in {call.span for call in calls}]
    assert joined
    assert all(span.trace in {call.trace for call in calls} for span in joined)


def _engine_calls(spans: list[CollectedSpan]) -> list[CollectedSpan]:
    return [span for span in spans if span.name == "infer tiny_synthesize"]


def _of_triton(spans: list[CollectedSpan]) -> list[CollectedSpan]:
    return [span for span in spans if span.service == "triton"]
