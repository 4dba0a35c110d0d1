"""Where spans begin: one look-up where there are no traces, OpenTelemetry where there are.

There are traces once OpenTelemetry's interface has been imported in this process: by `set_up` of
`relatent.core.tracing_setup`, where the environment asks for it, or by an application that traces itself and
calls our client. Nothing here imports it before. Until then each of these functions looks up one name and
returns a constant: no object is made, no clock read.

The spans are our own few, written where the work is done, and not those of OpenTelemetry's instrumentors for
gRPC. These know nothing of slots, decoding and chunks, leave no span of a stream that its caller cancels,
patch every channel of the process, health checks included, and would come between the service and its
interceptor.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from relatent.core.spans import NO_SPAN, Span, SpanKind

if TYPE_CHECKING:
    from relatent.core.recorded_spans import Recorder

Headers = tuple[tuple[str, str], ...]
"""Names and values, as gRPC takes them."""

_INTERFACE = "opentelemetry.trace"


def tracing() -> bool:
    """Whether there may be somebody to tell."""
    return _INTERFACE in sys.modules


def span(name: str, kind: SpanKind = SpanKind.INTERNAL, after: Span = NO_SPAN) -> Span:
    """A part of the span at hand; nothing where none is, or nobody wants it.

    Args:
        name: few different ones: what is done, not to what.
        kind: where it is done.
        after: one before, which this one goes on from; they are linked.
    """
    return _recorder().part(name, kind, after) if tracing() else NO_SPAN


def first_span(name: str) -> Span:
    """One of a call that begins here, as part of whatever the application is at."""
    return _recorder().first(name) if tracing() else NO_SPAN


def span_of_caller(name: str, headers: Iterable[tuple[str, str | bytes]] | None) -> Span:
    """One of a call that came from elsewhere, as part of what its headers say, or of nothing."""
    return _recorder().of_caller(name, headers or ()) if tracing() else NO_SPAN


def annotate(name: str, value: str | int | float | bool) -> None:
    """Tell something of the span at hand."""
    if tracing():
        _recorder().annotate(name, value)


def trace_headers() -> Headers:
    """What tells another server of the span at hand, `traceparent` first; empty where there is none."""
    return _recorder().headers() if tracing() else ()


def sampled_headers() -> Headers:
    """The same for servers that follow whatever they are told of, sampled or not: `traceparent` alone.

    Empty where the trace is not sampled. `tracestate` is a caller's, and as long as it likes.
    """
    return _recorder().sampled_headers() if tracing() else ()


def trace_id() -> str:
    """The trace of the span at hand, 32 hexadecimal digits; empty where there is none."""
    return _recorder().trace_id() if tracing() else ""


def exemplar() -> dict[str, str] | None:
    """What leads from a measurement to its trace; None where none is kept."""
    return _recorder().exemplar() if tracing() else None


def _recorder() -> Recorder:
    # Waits, should another thread be importing the interface just now.
    from relatent.core.recorded_spans import RECORDER

    return RECORDER
