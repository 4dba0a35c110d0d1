"""A session of the blocking client: a thread of its own talks, whichever threads change and read."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from types import TracebackType
from typing import Any, Self

from relatent.client.blocking_transport import BlockingTransport
from relatent.client.exchange import Exchange
from relatent.client.held_session import HeldSession, answer_late, answer_of
from relatent.client.requests import Operation
from relatent.client.results import SessionAnswer
from relatent.v1 import editing_pb2

_END_SECONDS = 1.0
"""That closing a session waits for its thread, which may sleep between two attempts."""


class _Talk:
    """The ends of a session, which wait for each other in threads."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._news = threading.Condition()
        self._call: Any = None

    def change(self, operations: Sequence[Operation]) -> int:
        with self._telling() as exchange:
            return exchange.change(operations)

    def finish(self) -> None:
        with self._telling() as exchange:
            exchange.finish()

    def hang_up(self) -> None:
        with self._telling() as exchange:
            exchange.hang_up()
            call = self._call
        if call is not None:
            call.cancel()

    def until_open(self) -> None:
        with self._news:
            self._news.wait_for(lambda: self._exchange.is_settled)
            self._exchange.check()

    def next_answer(self, timeout: float | None) -> SessionAnswer | None:
        """The next answer; None where there will be none."""
        with self._telling() as exchange:
            if not self._news.wait_for(lambda: exchange.can_be_read, timeout):
                raise answer_late(timeout or 0.0)
            return exchange.read()

    # What the transport calls, from the thread that talks, but for `requests`, which gRPC reads in its own.

    def began(self, call: Any) -> None:
        with self._news:
            self._call = call
            if self._exchange.hung_up:
                call.cancel()

    def ended(self) -> None:
        with self._telling() as exchange:
            self._call = None
            exchange.end_call()

    def wanted(self, seconds: float) -> bool:
        with self._news:
            return self._news.wait_for(lambda: self._exchange.is_wanted, seconds)

    def requests(self) -> Iterator[editing_pb2.EditStreamRequest]:
        return self._requests(self._exchange.calls)

    def receive(self, response: editing_pb2.EditStreamResponse, address: str) -> None:
        with self._telling() as exchange:
            if (arrived := exchange.receive(response, address)) is not None:
                self._news.wait_for(lambda: exchange.can_keep)
                exchange.keep(arrived)

    def over(self, failure: Exception | None) -> None:
        with self._telling() as exchange:
            exchange.end(failure)

    def _requests(self, of_call: int) -> Iterator[editing_pb2.EditStreamRequest]:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._exchange.can_send(of_call))
                request = self._exchange.next_request(of_call)
            if request is None:
                return
            yield request

    @contextmanager
    def _telling(self) -> Iterator[Exchange]:
        """Hold the exchange, and wake whoever waits for what becomes of it."""
        with self._news:
            try:
                yield self._exchange
            finally:
                self._news.notify_all()


class EditSession(HeldSession[BlockingTransport, _Talk]):
    """One source, edited again and again as sliders move; see `Client.edit_session`.

    It is open within its `with` block, and its methods may be called from several threads at once. Answers
    come in the order of their changes. While one waits to be read no change is sent, and then the newest.
    """

    _thread: threading.Thread | None = None

    def answer(self, timeout: float | None = None) -> SessionAnswer:
        """Wait for the next answer.

        Args:
            timeout: seconds; the session's own unless given, which is the client's unless it has one.

        Raises:
            CallError: the change was refused: `change` is its number, and the session goes on. Or, without
                a number, the session's server was lost, and no other found.
            DeadlineError: no answer came in time; it may still come.
            ClientStateError: the session is over.
        """
        return answer_of(self._talk.next_answer(self._timeout if timeout is None else timeout))

    def close(self) -> None:
        """Hang up at once: whoever waits for an answer is told that the session is over.

        Then wait a little for its call to end, so that a process forked afterwards is not forked amid it.
        """
        if self._opened is not None:
            self._opened.hang_up()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_END_SECONDS)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> SessionAnswer:
        answer = self._talk.next_answer(None)
        if answer is None:
            raise StopIteration
        return answer

    def __enter__(self) -> Self:
        self._begin()
        exchange = self._transport.run(self._prepare)
        talk = _Talk(exchange)
        self._inversion, self._opened = exchange.inversion, talk

        def hold() -> None:
            failure: Exception | None = None
            try:
                self._transport.run(self._converse(exchange, talk))
            except Exception as error:
                failure = error
            finally:
                talk.over(failure)

        # In the context of whoever opens it: what an application traces goes on in the session.
        run = copy_context().run
        thread = threading.Thread(target=run, args=(hold,), name="relatent-session", daemon=True)
        try:
            thread.start()
            self._thread = thread
            talk.until_open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
