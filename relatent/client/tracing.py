"""A client's calls as spans, in an application that traces itself with OpenTelemetry; else nothing.

    relatent invert                                 what was asked of the client
    ├── relatent.v1.InversionService/InvertStream   an attempt, whose `traceparent` the server is told
    └── relatent.v1.InversionService/InvertStream   the next, linked to the one before, which it goes on from

`relatent` the command traces itself where the environment asks for it (`relatent.core.tracing_setup`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import GeneratorType, TracebackType
from typing import Any, Self

import grpc

from relatent.client.retrying import Converse, Effect, Flow, Stream, Unary
from relatent.core.addresses import parse_address
from relatent.core.spans import NO_SPAN, Span, SpanKind
from relatent.core.tracing import first_span, span, tracing


class UntracedCall:
    """A call that nobody follows."""

    __slots__ = ()

    def attempt(self, effect: Effect) -> AbstractContextManager[object]:
        """Around what a flow asks for: a span where it goes to a server."""
        return NO_SPAN

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class TracedCall(UntracedCall):
    """One that is a span, with a span for each attempt."""

    __slots__ = ("_before", "_span")

    def __init__(self, made: Span) -> None:
        self._span = made
        self._before: dict[str, list[Span]] = {}
        """The attempts so far, by method."""

    def attempt(self, effect: Effect) -> AbstractContextManager[object]:
        """Around what a flow asks for: a span where it goes to a server."""
        return self._attempt(effect) if isinstance(effect, Unary | Stream | Converse) else NO_SPAN

    @contextmanager
    def _attempt(self, effect: Unary | Stream | Converse) -> Iterator[None]:
        method = effect.path[1:]
        before = self._before.setdefault(method, [])
        with span(method, SpanKind.CLIENT, after=before[-1] if before else NO_SPAN) as made:
            before.append(made)
            if made.recording:
                _describe(made, effect, len(before))
            try:
                yield
            except grpc.RpcError as error:
                code = error.code()
                made.set("rpc.grpc.status_code", code.value[0])
                made.fail(code.name)
                raise
            made.set("rpc.grpc.status_code", grpc.StatusCode.OK.value[0])

    def __enter__(self) -> Self:
        self._span.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._span.__exit__(kind, error, trace)


_UNTRACED = UntracedCall()


def follow(flow: Flow[Any]) -> UntracedCall:
    """Follow a flow, which is named for what was asked of the client, from here to its end."""
    if not tracing():
        return _UNTRACED
    name = flow.__name__ if isinstance(flow, GeneratorType) else "call"
    return TracedCall(first_span(f"relatent {name}"))


def _describe(made: Span, effect: Unary | Stream | Converse, number: int) -> None:
    service, _, name = effect.path[1:].partition("/")
    made.set("rpc.system", "grpc")
    made.set("rpc.service", service)
    made.set("rpc.method", name)
    made.set("relatent.attempt", number)
    address = parse_address(effect.address)
    made.set("server.address", address.path or address.host)
    if address.port:
        made.set("server.port", address.port)
