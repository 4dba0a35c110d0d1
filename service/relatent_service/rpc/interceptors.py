"""Around every call of ours: whether it is let in, its identifier, metrics, line in the log and errors.

Requests are parsed here, not by gRPC, so that broken bytes are told apart from a fault of the server's;
and answers are serialised here, so that one too large is told as that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from relatent.core.tracing import exemplar
from relatent_service.access.caller import CALLER, Caller
from relatent_service.access.door import Door
from relatent_service.errors import (
    MalformedRequest,
    MessageTooLarge,
    NotLetIn,
    NotRead,
    TryLater,
    UnknownMethod,
)
from relatent_service.rpc.context import Context
from relatent_service.rpc.status import REQUEST_ID_KEY, abort, code_of, reason_of, request_id_of
from relatent_service.rpc.unbroken import unbroken
from relatent_service.telemetry.metrics import Metrics
from relatent_service.telemetry.tracing import call_span, tell_answer
from relatent_service.traffic.call import REQUEST_ID, TRAFFIC_CLASS
from relatent_service.traffic.lifecycle import Lifecycle
from relatent_service.traffic.quotas import Quotas

log = logging.getLogger(__name__)

OURS = "/relatent.v1."
CATALOG = "relatent.v1.CatalogService"
SESSION = "bidi_stream"
"""The kind of call that editing sessions are."""
WRITE_SECONDS = 60.0
"""How long an answer of a stream may stay unread before the call is ended."""
HANG_UP_SECONDS = 0.01
"""How long after the last request of a stream gRPC may take to say that its caller has hung up."""


@dataclass(frozen=True)
class _Kind:
    """Which of the four kinds of call a method is."""

    request_streaming: bool
    response_streaming: bool

    @property
    def label(self) -> str:
        """What the public gRPC middlewares call it, the value of `grpc_type`."""
        labels = ("unary", "server_stream"), ("client_stream", "bidi_stream")
        return labels[self.request_streaming][self.response_streaming]

    @property
    def _name(self) -> str:
        ends = ("unary", "stream")
        return f"{ends[self.request_streaming]}_{ends[self.response_streaming]}"

    def method_of(self, handler: Any) -> Callable[[Any, Context], Any]:
        """What a handler does at a call."""
        method: Callable[[Any, Context], Any] = getattr(handler, self._name)
        return method

    def make_handler(self, behaviour: Callable[[Any, Context], Any]) -> Any:
        """A handler that takes and gives bytes."""
        return getattr(grpc, f"{self._name}_rpc_method_handler")(behaviour)


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # gRPC has no types
    """Wraps every method of `relatent.v1`; leaves health checks and reflection alone.

    Args:
        door: says who is let in.
        quotas: says what a key may have, and counts its calls in flight.
        lifecycle: says whether calls are taken, and counts them.
        metrics: told of every call.
        max_message_bytes: of a request and of an answer.
    """

    def __init__(
        self, door: Door, quotas: Quotas, lifecycle: Lifecycle, metrics: Metrics, max_message_bytes: int
    ) -> None:
        self._door = door
        self._quotas = quotas
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Give the handler of a call, wrapped."""
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None:
            return self._unknown(method)
        if not method.startswith(OURS):
            return handler
        kind = _Kind(handler.request_streaming, handler.response_streaming)
        try:
            caller = self._door.admit(handler_call_details.invocation_metadata or ())
        except NotLetIn as error:
            return _Kind(True, True).make_handler(partial(self._refuse, kind, method, error))
        return kind.make_handler(partial(self._answer, handler, kind, method, caller))

    async def _refuse(
        self, kind: _Kind, method: str, error: NotLetIn, _: AsyncIterator[bytes], context: Context
    ) -> None:
        """Refuse a call of any kind; as one of streams, of which nothing is received."""
        async with self._around(kind.label, method, Caller(), context):
            raise self._door.refusal(error, context.peer())

    async def _answer(
        self,
        handler: Any,
        kind: _Kind,
        method: str,
        caller: Caller,
        given: bytes | AsyncIterator[bytes],
        context: Context,
    ) -> bytes | None:
        """Answer a call of any kind, around whatever it does."""
        async with self._around(kind.label, method, caller, context):
            request = self._parsed(handler, given, context)
            answered = kind.method_of(handler)(request, context)
            if not kind.response_streaming:
                return self._serialise(handler, await answered)
            # Written rather than yielded: so a cancelled call is cancelled in here, and what it holds
            # is let go of at once, not when the generator is collected.
            async with aclosing(answered) as responses:
                async for response in responses:
                    await _write(context, self._serialise(handler, response))
        return None

    def _parsed(self, handler: Any, given: bytes | AsyncIterator[bytes], context: Context) -> Any:
        """The request, or those of a stream as they come."""
        if isinstance(given, bytes):
            return self._parse(handler, given)
        return self._parse_each(handler, given, context)

    async def _parse_each(
        self, handler: Any, given: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[Any]:
        requests = aiter(given)
        while (request := await self._next_parsed(handler, requests, context)) is not None:
            yield request
            del request  # it may hold a large picture, and the next may be long in coming
        # gRPC ends the requests of a caller that hung up, or whose time is up, just as if it had sent all,
        # and cancels the call a moment later. Half of a stream must not pass for the whole.
        await asyncio.sleep(HANG_UP_SECONDS)

    async def _next_parsed(self, handler: Any, requests: AsyncIterator[bytes], context: Context) -> Any:
        """The next request of a stream; None after the last. Its bytes are not kept."""
        data = await unbroken(_next(requests))
        if data is None:
            return None
        # A session may last: it ends with its key, and has the quota that the key has by now.
        self._quotas.follow(self._door.admit(context.invocation_metadata() or ()))
        return self._parse(handler, data)

    def _unknown(self, method: str) -> Any:
        async def answer(_: AsyncIterator[bytes], context: Context) -> None:
            error = UnknownMethod(f"no method {method[:200]!r}; reflection lists what there is")
            await abort(context, error, request_id_of(context))

        return _Kind(True, True).make_handler(answer)  # of streams, so that nothing of it is received

    @asynccontextmanager
    async def _around(self, kind: str, method: str, caller: Caller, context: Context) -> AsyncIterator[None]:
        _, service, name = method.split("/")
        labels = (kind, service, name)
        request_id = request_id_of(context)
        REQUEST_ID.set(request_id)
        CALLER.set(caller)
        TRAFFIC_CLASS.set(caller.traffic_class)
        self._quotas.follow(caller)
        self._metrics.started.labels(*labels).inc()
        began, code, reason = time.monotonic(), grpc.StatusCode.OK, ""
        with call_span(method, context.invocation_metadata(), request_id) as span:
            try:
                with self._lifecycle.call(), self._counted(kind, service):
                    yield
                context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
            except asyncio.CancelledError:
                late = context.time_remaining() == 0
                code = grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED
                raise
            except Exception as error:
                code, reason = code_of(error), reason_of(error)
                if code is grpc.StatusCode.INTERNAL:
                    log.exception("a call failed for a fault of ours")
                if isinstance(error, TryLater):
                    self._metrics.rejected.labels(reason.lower(), TRAFFIC_CLASS.get()).inc()
                await abort(context, error, request_id)
            finally:
                seconds = time.monotonic() - began
                self._metrics.handled.labels(*labels, code.name).inc()
                self._metrics.handling.labels(*labels).observe(seconds, exemplar())
                tell_answer(span, code, reason)
                fields = {"method": method, "code": code.name, "seconds": round(seconds, 4)}
                told = {"reason": reason, "key": caller.name}
                log.info("call", extra=fields | {name: value for name, value in told.items() if value})

    def _counted(self, kind: str, service: str) -> AbstractContextManager[None]:
        """Count a call of the caller's; the catalog's, which ask nothing of the engine, are free."""
        return nullcontext() if service == CATALOG else self._quotas.call(lasts=kind == SESSION)

    def _parse(self, handler: Any, data: bytes) -> Any:
        if len(data) > self._max_message_bytes:
            raise MessageTooLarge(
                f"expected a request of at most {self._max_message_bytes} bytes, got {len(data)}"
            )
        try:
            return handler.request_deserializer(data)
        except DecodeError as error:
            raise MalformedRequest(
                f"expected the bytes of the method's request message; {len(data)} bytes do not parse as such"
            ) from error

    def _serialise(self, handler: Any, response: Any) -> bytes:
        data: bytes = handler.response_serializer(response)
        if len(data) > self._max_message_bytes:
            raise MessageTooLarge(
                f"the answer has {len(data)} bytes, and at most {self._max_message_bytes} are sent; "
                "ask for fewer images at a time, or for a smaller format",
                reason="ANSWER_TOO_LARGE",
            )
        return data


async def _next(requests: AsyncIterator[bytes]) -> bytes | None:
    return await anext(requests, None)


async def _write(context: Context, data: bytes) -> None:
    """Send an answer of a stream.

    Raises:
        NotRead: the caller does not read.
        asyncio.CancelledError: the caller has hung up, or the server has stopped, which gRPC notices here
            before it cancels the call.
    """
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await unbroken(context.write(data))
    except TimeoutError as error:
        raise NotRead(
            f"nothing of this call's answers has been read for {WRITE_SECONDS:.0f} s", 1.0
        ) from error
    except grpc.aio.BaseError as error:
        raise asyncio.CancelledError from error
