"""A session of the asyncio client: a task of its own talks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from relatent.client.async_transport import AsyncTransport
from relatent.client.errors import CallError, ClientStateError, DeadlineError
from relatent.client.exchange import Arrived, Exchange
from relatent.client.requests import Operation
from relatent.client.results import Inversion, SessionAnswer
from relatent.client.retrying import Flow
from relatent.v1 import editing_pb2


class _Talk:
    """The two ends of a session: what the caller's tasks do, and what the task that talks does.

    At most one change waits to be sent, and one answer to be read.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._news = asyncio.Event()
        self._arrived: Arrived | None = None
        self._calls = 0
        self._over = False
        self._failure: BaseException | None = None

    def change(self, operations: Sequence[Operation]) -> int:
        if self._failure is not None:
            raise self._failure
        if self._over or self._exchange.is_finished:
            raise ClientStateError("the session takes no more changes: it is finished or closed")
        number = self._exchange.change(operations)
        self._news.set()
        return number

    def finish(self) -> None:
        self._exchange.finish()
        self._news.set()

    def hang_up(self) -> None:
        self._exchange.hung_up = self._over = True
        self._arrived = None
        self._news.set()

    async def until_open(self) -> None:
        await self._until(lambda: self._exchange.is_opened or self._over)
        if self._failure is not None:
            raise self._failure

    async def next_answer(self, timeout: float | None) -> SessionAnswer | None:
        """The next answer; None where there will be none."""
        try:
            async with asyncio.timeout(timeout):
                await self._until(lambda: self._arrived is not None or self._over)
        except TimeoutError:
            words = f"no answer within {timeout:g} s"
            raise DeadlineError(grpc.StatusCode.DEADLINE_EXCEEDED, words) from None
        arrived, self._arrived = self._arrived, None
        self._news.set()
        if arrived is None and self._failure is not None:
            raise self._failure
        if isinstance(arrived, CallError):
            raise arrived
        return arrived

    # What the transport calls.

    def ended(self) -> None:
        self._calls += 1
        self._news.set()

    async def requests(self) -> AsyncIterator[editing_pb2.EditStreamRequest]:
        exchange, of_call = self._exchange, self._calls
        while True:
            await self._until(
                lambda: (
                    of_call != self._calls
                    or exchange.hung_up
                    or exchange.has_next(unread=self._arrived is not None)
                )
            )
            if of_call != self._calls or exchange.hung_up:
                return
            request = exchange.next_request()
            if request is None:
                return
            yield request

    async def receive(self, response: editing_pb2.EditStreamResponse, address: str) -> None:
        arrived = self._exchange.receive(response, address)
        self._news.set()
        if arrived is None:
            return
        await self._until(lambda: self._arrived is None or self._over)
        if not self._over:
            self._arrived = arrived
        self._news.set()

    def over(self, failure: BaseException | None) -> None:
        self._failure = None if self._exchange.hung_up else failure
        self._over = True
        self._news.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()


class AsyncEditSession:
    """`relatent.EditSession` for asyncio; see `AsyncClient.edit_session`.

    It belongs to the event loop that it was opened in, and so do all calls of its methods.

    Args:
        transport: the client's.
        prepare: finds the code that is edited.
        converse: holds the session.
        timeout: seconds that an answer is waited for, unless told otherwise.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        prepare: Flow[Exchange],
        converse: Callable[[Exchange, Any], Flow[None]],
        timeout: float,
    ) -> None:
        self._transport, self._prepare, self._converse = transport, prepare, converse
        self._timeout = timeout
        self._inversion: Inversion | None = None
        self._opened: _Talk | None = None
        self._holding: asyncio.Task[None] | None = None

    @property
    def inversion(self) -> Inversion | None:
        """How the image was inverted, where the source is one."""
        return self._inversion

    def change(self, operations: Sequence[Operation]) -> int:
        """Say what the sliders say now; never waits. See `EditSession.change`."""
        return self._talk.change(operations)

    async def answer(self, timeout: float | None = None) -> SessionAnswer:
        """Wait for the next answer; see `EditSession.answer`."""
        answer = await self._talk.next_answer(self._timeout if timeout is None else timeout)
        if answer is None:
            raise ClientStateError("the session is over: there are no more answers")
        return answer

    def finish(self) -> None:
        """No more changes: the last one is still answered, and then iteration ends."""
        self._talk.finish()

    async def close(self) -> None:
        """Hang up at once: whoever waits for an answer is told that the session is over."""
        if self._opened is not None and self._holding is not None:
            self._opened.hang_up()
            self._holding.cancel()
            await asyncio.gather(self._holding, return_exceptions=True)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionAnswer:
        answer = await self._talk.next_answer(None)
        if answer is None:
            raise StopAsyncIteration
        return answer

    async def __aenter__(self) -> Self:
        if self._opened is not None:
            raise ClientStateError("a session is opened once")
        exchange = await self._transport.run(self._prepare)
        self._inversion, talk = exchange.inversion, _Talk(exchange)
        self._opened = talk

        async def hold() -> None:
            failure: BaseException | None = None
            try:
                await self._transport.run(self._converse(exchange, talk))
            except Exception as error:
                failure = error
            finally:
                talk.over(failure)

        self._holding = asyncio.create_task(hold())
        try:
            await talk.until_open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def _talk(self) -> _Talk:
        if self._opened is None:
            raise ClientStateError("the session is not open: use it in an async with block")
        return self._opened
