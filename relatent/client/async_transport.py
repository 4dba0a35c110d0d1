"""How the asyncio client talks: flows driven over asyncio's channels, in any event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

import grpc
from grpc import aio

from relatent.client.channels import open_async_channel
from relatent.client.errors import ClientStateError, DeadlineError
from relatent.client.forks import check_fork, keep_for_good
from relatent.client.retrying import (
    Converse,
    Convert,
    Effect,
    Flow,
    Sleep,
    Stream,
    Unary,
    opening_late,
    serialised,
)
from relatent.client.settings import ClientSettings
from relatent.client.tracing import follow
from relatent.core.tracing import Headers, trace_headers

T = TypeVar("T")

_open_channels: WeakSet[aio.Channel] = WeakSet()
"""All there are, of every client of this process."""
_forked_while_open = False
"""Whether there were any in the process that this one was forked from."""


def _after_fork() -> None:
    global _forked_while_open
    for channel in _open_channels:
        keep_for_good(channel)
        _forked_while_open = True
    _open_channels.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Connections:
    """The channels of one event loop, one an address, made when first needed; and what waits there."""

    def __init__(self) -> None:
        self.channels: dict[str, aio.Channel] = {}
        self.waiting: set[Any] = set()

    async def close(self) -> None:
        for call in list(self.waiting):  # closing a channel leaves the calls on it
            call.cancel()
        for channel in self.channels.values():
            await channel.close()


class AsyncTransport:
    """Drives flows over asyncio's channels."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._connections: dict[asyncio.AbstractEventLoop, _Connections] = {}
        self._closed = False

    async def run(self, flow: Flow[T]) -> T:
        """Do what a flow says, and give its result."""
        with follow(flow) as call:
            try:
                effect = next(flow)
                while True:
                    try:
                        with call.attempt(effect):
                            outcome = await self._perform(effect)
                    except (grpc.RpcError, ClientStateError, DeadlineError) as error:
                        effect = flow.throw(error)
                    else:
                        effect = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                flow.close()

    async def close(self) -> None:
        """Let go of the connections of every loop; calls under way raise `ClientStateError`."""
        self._closed = True
        here = asyncio.get_running_loop()
        connections, self._connections = self._connections, {}
        for loop, there in connections.items():
            if loop is here:
                await there.close()
            elif loop.is_running():
                closing = there.close()
                try:
                    asyncio.run_coroutine_threadsafe(closing, loop)
                except RuntimeError:  # it has ended since, and its calls with it
                    closing.close()

    def check_open(self) -> None:
        """Make sure that it was not closed.

        Raises:
            ClientStateError: it was.
        """
        if self._closed:
            raise ClientStateError("the client is closed")

    async def _perform(self, effect: Effect) -> Any:
        self.check_open()
        try:
            match effect:
                case Convert():  # which must not hold up everything else that the loop does
                    return await asyncio.to_thread(effect.work)
                case Sleep():
                    pause = asyncio.ensure_future(asyncio.sleep(effect.seconds))
                    with self._cancelled_by_close(pause):
                        return await pause
                case Unary():
                    call = self._begin(effect, "unary_unary")
                    with self._cancelled_by_close(call):
                        return await call
                case Stream():
                    call = self._begin(effect, "unary_stream")
                    with self._cancelled_by_close(call):
                        async for message in call:
                            effect.receive(message)
                case Converse():
                    await self._converse(effect)
        except (grpc.RpcError, asyncio.CancelledError, aio.UsageError) as error:
            task = asyncio.current_task()
            if self._closed and not (task is not None and task.cancelling()):
                raise ClientStateError("the client was closed during the call") from error
            raise

    @contextmanager
    def _cancelled_by_close(self, call: Any) -> Iterator[None]:
        waiting = self._here().waiting
        waiting.add(call)
        try:
            yield
        finally:
            waiting.discard(call)
            call.cancel()  # frees the place on the server where a callback raised

    async def _converse(self, effect: Converse) -> None:
        call = self._begin(effect, "stream_stream")
        with self._cancelled_by_close(call):
            try:
                async with asyncio.timeout(effect.timeout) as opening:
                    async for message in call:
                        opening.reschedule(None)
                        await effect.talk.receive(message, effect.address)
            except TimeoutError as error:
                raise opening_late(effect) from error
            finally:
                effect.talk.ended()

    def _begin(self, effect: Unary | Stream | Converse, kind: str) -> Any:
        make: Callable[..., Callable[..., Any]] = getattr(self._channel(effect.address), kind)
        method = make(
            effect.path,
            request_serializer=serialised,
            response_deserializer=effect.answer.FromString,
        )
        if isinstance(effect, Converse):
            return method(effect.talk.requests(), metadata=self._metadata())
        return method(effect.request, timeout=effect.timeout, metadata=self._metadata())

    def _metadata(self) -> Headers:
        """Who calls, and in whose trace."""
        return self._settings.metadata + trace_headers()

    def _channel(self, address: str) -> aio.Channel:
        if _forked_while_open:  # gRPC's asyncio half keeps its state through a fork, and crashes with it
            raise ClientStateError(
                "this process was forked while an AsyncClient was open, and can use none: close it before, "
                "start processes by 'spawn' or 'forkserver', or use Client here"
            )
        channels = self._here().channels
        if address not in channels:
            check_fork()
            channels[address] = open_async_channel(
                address, self._settings.max_message_bytes, self._settings.tls
            )
            _open_channels.add(channels[address])
        return channels[address]

    def _here(self) -> _Connections:
        for loop in [loop for loop in list(self._connections) if loop.is_closed()]:  # threads add theirs
            self._connections.pop(loop, None)
        return self._connections.setdefault(asyncio.get_running_loop(), _Connections())
