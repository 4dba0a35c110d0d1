"""A session of the asyncio client: a task of its own talks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Self

from relatent.client.async_transport import AsyncTransport
from relatent.client.exchange import Exchange
from relatent.client.held_session import HeldSession, answer_late, answer_of
from relatent.client.requests import Operation
from relatent.client.results import SessionAnswer
from relatent.v1 import editing_pb2


class _Talk:
    """The ends of a session, which wait for each other in tasks of one event loop."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._news = asyncio.Event()

    def change(self, operations: Sequence[Operation]) -> int:
        number = self._exchange.change(operations)
        self._news.set()
        return number

    def finish(self) -> None:
        self._exchange.finish()
        self._news.set()

    def hang_up(self) -> None:
        self._exchange.hang_up()
        self._news.set()

    async def until_open(self) -> None:
        await self._until(lambda: self._exchange.is_settled)
        self._exchange.check()

    async def next_answer(self, timeout: float | None) -> SessionAnswer | None:
        """The next answer; None where there will be none."""
        try:
            async with asyncio.timeout(timeout):
                await self._until(lambda: self._exchange.can_be_read)
        except TimeoutError:
            raise answer_late(timeout or 0.0) from None
        self._news.set()
        return self._exchange.read()

    # What the transport calls.

    def ended(self) -> None:
        self._exchange.end_call()
        self._news.set()

    async def wanted(self) -> None:
        await self._until(lambda: self._exchange.is_wanted)

    async def requests(self) -> AsyncIterator[editing_pb2.EditStreamRequest]:
        of_call = self._exchange.calls
        while True:
            await self._until(lambda: self._exchange.can_send(of_call))
            request = self._exchange.next_request(of_call)
            if request is None:
                return
            yield request

    async def receive(self, response: editing_pb2.EditStreamResponse, address: str) -> None:
        arrived = self._exchange.receive(response, address)
        self._news.set()
        if arrived is not None:
            await self._until(lambda: self._exchange.can_keep)
            self._exchange.keep(arrived)
            self._news.set()

    def over(self, failure: BaseException | None) -> None:
        self._exchange.end(failure)
        self._news.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()


class AsyncEditSession(HeldSession[AsyncTransport, _Talk]):
    """`relatent.EditSession` for asyncio; see `AsyncClient.edit_session`.

    It belongs to the event loop that it was opened in, and so do all calls of its methods.
    """

    _holding: asyncio.Task[None] | None = None

    async def answer(self, timeout: float | None = None) -> SessionAnswer:
        """Wait for the next answer; see `EditSession.answer`."""
        return answer_of(await self._talk.next_answer(self._timeout if timeout is None else timeout))

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
        self._begin()
        exchange = await self._transport.run(self._prepare)
        talk = _Talk(exchange)
        self._inversion, self._opened = exchange.inversion, talk

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
