"""How the asyncio client talks: flows driven over asyncio's channels, in any event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

import grpc
from grpc import aio

from relatent.client.calls import begin_call
from relatent.client.channels import ClientChannels, open_async_channel
from relatent.client.errors import ClientStateError
from relatent.client.forks import check_fork, keep_for_good
from relatent.client.retrying import (
    FAILURES,
    Converse,
    Convert,
    Effect,
    Flow,
    Sleep,
    Stream,
    Unary,
    UntilWanted,
    opening_late,
)
from relatent.client.settings import ClientSettings
from relatent.client.tracing import follow

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
    """What one event loop is connected by, made when first needed; and what waits there."""

    def __init__(self, settings: ClientSettings) -> None:
        def open_one(address: str, credentials: grpc.ChannelCredentials | None) -> aio.Channel:
            check_fork()
            channel = open_async_channel(address, settings.max_message_bytes, credentials)
            _open_channels.add(channel)
            return channel

        self.channels = ClientChannels(open_one, settings.tls)
        self.waiting: set[Any] = set()

    async def close(self) -> None:
        for call in list(self.waiting):  # closing a channel leaves the calls on it
            call.cancel()
        for channel in self.channels.let_go():
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
                    except FAILURES as error:
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
                    with _cancelled_by_close(pause, self._here()):
                        return await pause
                case UntilWanted():
                    wanted = asyncio.ensure_future(effect.talk.wanted())
                    with _cancelled_by_close(wanted, self._here()):
                        await wanted
                case Unary():
                    async with self._call(effect) as call:
                        return await call
                case Stream():
                    async with self._call(effect) as call:
                        async for message in call:
                            effect.receive(message)
                case Converse():
                    async with self._call(effect) as call:
                        await _converse(call, effect)
        except (grpc.RpcError, asyncio.CancelledError, aio.UsageError) as error:
            task = asyncio.current_task()
            if self._closed and not (task is not None and task.cancelling()):
                raise ClientStateError("the client was closed during the call") from error
            raise

    @asynccontextmanager
    async def _call(self, effect: Unary | Stream | Converse) -> AsyncIterator[Any]:
        """A call that a flow asks for, from its beginning to its end."""
        if _forked_while_open:  # gRPC's asyncio half keeps its state through a fork, and crashes with it
            raise ClientStateError(
                "this process was forked while an AsyncClient was open, and can use none: close it before, "
                "start processes by 'spawn' or 'forkserver', or use Client here"
            )
        here = self._here()
        channel = here.channels.take(effect.address)
        try:
            call = begin_call(channel, effect, self._settings)
            with _cancelled_by_close(call, here):
                yield call
        finally:
            for ended in here.channels.give_back(effect.address, channel):
                await ended.close()

    def _here(self) -> _Connections:
        for loop in [loop for loop in list(self._connections) if loop.is_closed()]:  # threads add theirs
            self._connections.pop(loop, None)
        return self._connections.setdefault(asyncio.get_running_loop(), _Connections(self._settings))


@contextmanager
def _cancelled_by_close(call: Any, here: _Connections) -> Iterator[None]:
    here.waiting.add(call)
    try:
        yield
    finally:
        here.waiting.discard(call)
        call.cancel()  # frees the place on the server where a callback raised


async def _converse(call: Any, effect: Converse) -> None:
    try:
        async with asyncio.timeout(effect.timeout) as opening:
            async for message in call:
                opening.reschedule(None)
                await effect.talk.receive(message, effect.address)
    except TimeoutError as error:
        raise opening_late(effect) from error
    finally:
        effect.talk.ended()
