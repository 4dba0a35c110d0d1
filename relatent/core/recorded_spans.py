"""Spans by OpenTelemetry. Imported by `relatent.core.tracing` alone, once OpenTelemetry is there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextvars import Token
from types import TracebackType
from typing import Self

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from relatent.core.spans import NO_SPAN, Span, SpanKind

_NAME = "relatent"
_KINDS = {
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
}
# Alone, and not with baggage: what callers send goes on no further than to whoever collects spans.
_PROPAGATOR = TraceContextTextMapPropagator()
_ENDED_FROM_OUTSIDE = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)


class RecordedSpan(Span):
    """A span that OpenTelemetry is told of, or that only carries on a trace that is not sampled."""

    __slots__ = ("_made", "_settled", "_token")

    def __init__(self, made: trace.Span) -> None:
        self._made = made
        self._settled = False
        self._token: Token[Context] | None = None

    @property
    def recording(self) -> bool:
        """Whether anybody is told."""
        return self._made.is_recording()

    @property
    def context(self) -> trace.SpanContext:
        """What identifies it, also once it has ended."""
        return self._made.get_span_context()

    def set(self, name: str, value: str | int | float | bool) -> None:
        """Tell something of it."""
        self._made.set_attribute(name, value)

    def fail(self, kind: str) -> None:
        """It came to nothing; the kind of error, by a name that errors share."""
        self._made.set_attribute("error.type", kind)
        self._made.set_status(trace.Status(trace.StatusCode.ERROR))
        self._settled = True

    def settle(self) -> None:
        """What came of it has been told: an exception that ends its block says nothing new."""
        self._settled = True

    def __enter__(self) -> Self:
        self._token = context.attach(trace.set_span_in_context(self._made))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            context.detach(self._token)
        if kind is not None and not self._settled:
            if issubclass(kind, _ENDED_FROM_OUTSIDE):
                self.set("relatent.cancelled", True)
            else:
                self.fail(kind.__name__)
        self._made.end()


class Recorder:
    """Begins spans with whichever provider of OpenTelemetry's is set, and keeps its tracer."""

    def __init__(self) -> None:
        self._tracer: tuple[trace.TracerProvider, trace.Tracer] | None = None

    def part(self, name: str, kind: SpanKind, after: Span) -> Span:
        """See `relatent.core.tracing.span`."""
        if not trace.get_current_span().is_recording():
            return NO_SPAN
        links = [trace.Link(after.context)] if isinstance(after, RecordedSpan) else []
        return RecordedSpan(self._current_tracer().start_span(name, kind=_KINDS[kind], links=links))

    def first(self, name: str) -> Span:
        """See `relatent.core.tracing.first_span`."""
        return RecordedSpan(self._current_tracer().start_span(name))

    def of_caller(self, name: str, headers: Iterable[tuple[str, str | bytes]]) -> Span:
        """See `relatent.core.tracing.span_of_caller`."""
        told = {key: value for key, value in headers if isinstance(value, str)}
        # In a context of its own, whatever the server was at when it began to listen.
        parent = _PROPAGATOR.extract(told, Context())
        kind = trace.SpanKind.SERVER
        return RecordedSpan(self._current_tracer().start_span(name, context=parent, kind=kind))

    def annotate(self, name: str, value: str | int | float | bool) -> None:
        """See `relatent.core.tracing.annotate`."""
        trace.get_current_span().set_attribute(name, value)

    def headers(self) -> tuple[tuple[str, str], ...]:
        """See `relatent.core.tracing.trace_headers`."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return tuple(carrier.items())

    def sampled_headers(self) -> tuple[tuple[str, str], ...]:
        """See `relatent.core.tracing.sampled_headers`."""
        if not trace.get_current_span().get_span_context().trace_flags.sampled:
            return ()
        return self.headers()[:1]

    def trace_id(self) -> str:
        """See `relatent.core.tracing.trace_id`."""
        found = trace.get_current_span().get_span_context()
        return trace.format_trace_id(found.trace_id) if found.is_valid else ""

    def exemplar(self) -> dict[str, str] | None:
        """See `relatent.core.tracing.exemplar`."""
        found = trace.get_current_span()
        if not found.is_recording():
            return None
        place = found.get_span_context()
        if not place.trace_flags.sampled:
            return None
        return {
            "trace_id": trace.format_trace_id(place.trace_id),
            "span_id": trace.format_span_id(place.span_id),
        }

    def _current_tracer(self) -> trace.Tracer:
        provider = trace.get_tracer_provider()
        if self._tracer is None or self._tracer[0] is not provider:
            self._tracer = provider, provider.get_tracer(_NAME)
        return self._tracer[1]


RECORDER = Recorder()
