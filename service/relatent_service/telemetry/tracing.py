"""The spans of calls, and whether there are any.

    relatent.v1.InversionService/Invert     of the call, part of its caller's trace
    ├── wait for a slot
    ├── decode                              images of the request
    ├── infer PACK_GRAPH                    each attempt at an engine call, of which Triton is told
    └── encode                              images of an answer

A change of a session has a span `change`, which has such parts. Parts begin where the work is done, by
`relatent.core.tracing.span`. Triton's own spans sometimes lose their parent, so an engine call has one of
ours.

Attributes are named as OpenTelemetry's conventions for gRPC have it (`rpc.*`, `error.type`,
`server.address`), else `relatent.*`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import grpc

from relatent.core.spans import Span
from relatent.core.tracing import span_of_caller
from relatent.core.tracing_setup import CannotTrace, set_up

log = logging.getLogger(__name__)

SERVICE_NAME = "relatent"
"""Unless OTEL_SERVICE_NAME, or OTEL_RESOURCE_ATTRIBUTES, says otherwise."""

_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""What the conventions take as a server's failure; all other codes are its caller's doing."""


def set_up_traces() -> None:
    """Begin to trace if the environment asks for it; where that cannot be, say why and serve without."""
    try:
        if set_up(SERVICE_NAME):
            log.info("calls are traced")
    except CannotTrace as error:
        log.warning("calls are not traced: %s", error)


def call_span(method: str, metadata: Iterable[tuple[str, str | bytes]] | None, request_id: str) -> Span:
    """The span of a call.

    Args:
        method: /package.Service/Method.
        metadata: the caller's, in which `traceparent` may be.
        request_id: identifies it in logs and errors.
    """
    made = span_of_caller(method[1:], metadata)
    if made.recording:
        service, _, name = method[1:].partition("/")
        made.set("rpc.system", "grpc")
        made.set("rpc.service", service)
        made.set("rpc.method", name)
        made.set("relatent.request_id", request_id)
    return made


def tell_answer(call: Span, code: grpc.StatusCode, reason: str) -> None:
    """Tell how a call was answered.

    Args:
        call: its span.
        code: of its status.
        reason: the stable one of an error, or empty.
    """
    if not call.recording:
        return
    call.settle()
    call.set("rpc.grpc.status_code", code.value[0])
    if reason:
        call.set("relatent.reason", reason)
    if code in _FAULTS:
        call.fail(code.name)
