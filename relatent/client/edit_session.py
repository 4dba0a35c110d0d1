"""A session of the blocking client: a thread of its own talks, whichever threads change and read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from types import TracebackType
from typing import Any, Self

import grpc

from relatent.client.blocking_transport import BlockingTransport
from relatent.client.errors import CallError, ClientStateError, DeadlineError
from relatent.client.exchange import Arrived, Exchange
from relatent.client.requests import Operation
from relatent.client.results import Inversion, SessionAnswer
from relatent.client.retrying import Flow
from relatent.v1 import editing_pb2


class _Talk:
    """The two ends of a session: what threads of the caller's do, and what the thread that talks does.

    At most one change waits to be sent, and one answer to be read.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._news = threading.Condition()
        self._arrived: Arrived | None = None
        self._call: Any = None
        self._calls = 0
        self._over = False
        self._failure: Exception | None = None

    def change(self, operations: Sequence[Operation]) -> int:
        with self._news:
            self._check_lasts()
            number = self._exchange.change(operations)
            self._news.notify_all()
        return number

    def finish(self) -> None:
        with self._news:
            self._exchange.finish()
            self._news.notify_all()

    def hang_up(self) -> None:
        with self._news:
            self._exchange.hung_up = self._over = True
            self._arrived = None
            self._news.notify_all()
            call = self._call
        if call is not None:
            call.cancel()

    def until_open(self) -> None:
        with self._news:
            self._news.wait_for(lambda: self._exchange.is_opened or self._over)
            if self._failure is not None:
                raise self._failure

    def next_answer(self, timeout: float | None) -> SessionAnswer | None:
        """The next answer; None where there will be none."""
        with self._news:
            if not self._news.wait_for(lambda: self._arrived is not None or self._over, timeout):
                raise DeadlineError(grpc.StatusCode.DEADLINE_EXCEEDED, f"no answer within {timeout:g} s")
            arrived, self._arrived = self._arrived, None
            self._news.notify_all()
            if arrived is None and self._failure is not None:
                raise self._failure
        if isinstance(arrived, CallError):
            raise arrived
        return arrived

    # What the transport calls, from the thread that talks, but for `requests`, which gRPC reads in its own.

    def began(self, call: Any) -> None:
        with self._news:
            self._call = call
            if self._exchange.hung_up:
                call.cancel()

    def ended(self) -> None:
        with self._news:
            self._call, self._calls = None, self._calls + 1
            self._news.notify_all()

    def requests(self) -> Iterator[editing_pb2.EditStreamRequest]:
        return self._requests(self._calls)

    def receive(self, response: editing_pb2.EditStreamResponse, address: str) -> None:
        with self._news:
            arrived = self._exchange.receive(response, address)
            self._news.wait_for(lambda: arrived is None or self._arrived is None or self._over)
            if arrived is not None and not self._over:
                self._arrived = arrived
            self._news.notify_all()

    def over(self, failure: Exception | None) -> None:
        with self._news:
            self._failure = None if self._exchange.hung_up else failure
            self._over = True
            self._news.notify_all()

    def _requests(self, of_call: int) -> Iterator[editing_pb2.EditStreamRequest]:
        exchange = self._exchange
        while True:
            with self._news:
                self._news.wait_for(
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

    def _check_lasts(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._over or self._exchange.is_finished:
            raise ClientStateError("the session takes no more changes: it is finished or closed")


class EditSession:
    """One source, edited again and again as sliders move; see `Client.edit_session`.

    It is open within its `with` block, and its methods may be called from several threads at once. Answers
    come in the order of their changes. While one waits to be read no change is sent, and then the newest.

    Args:
        transport: the client's.
        prepare: finds the code that is edited.
        converse: holds the session.
        timeout: seconds that an answer is waited for, unless told otherwise.
    """

    def __init__(
        self,
        transport: BlockingTransport,
        prepare: Flow[Exchange],
        converse: Callable[[Exchange, Any], Flow[None]],
        timeout: float,
    ) -> None:
        self._transport, self._prepare, self._converse = transport, prepare, converse
        self._timeout = timeout
        self._inversion: Inversion | None = None
        self._opened: _Talk | None = None

    @property
    def inversion(self) -> Inversion | None:
        """How the image was inverted, where the source is one."""
        return self._inversion

    def change(self, operations: Sequence[Operation]) -> int:
        """Say what the sliders say now; never waits. A change that was not sent yet is dropped.

        Args:
            operations: in order, always from the source; none may hold several strengths or amounts.

        Returns:
            The change's number: 1, 2, ...

        Raises:
            InputError: an operation that cannot be sent.
            ClientStateError: the session is not open.
            CallError: its server was lost, and no other found.
        """
        return self._talk.change(operations)

    def answer(self, timeout: float | None = None) -> SessionAnswer:
        """Wait for the next answer.

        Args:
            timeout: seconds; the client's unless given.

        Raises:
            CallError: the change was refused: `change` is its number, and the session goes on. Or, without
                a number, the session's server was lost, and no other found.
            DeadlineError: no answer came in time; it may still come.
            ClientStateError: the session is over.
        """
        answer = self._talk.next_answer(self._timeout if timeout is None else timeout)
        if answer is None:
            raise ClientStateError("the session is over: there are no more answers")
        return answer

    def finish(self) -> None:
        """No more changes: the last one is still answered, and then iteration ends."""
        self._talk.finish()

    def close(self) -> None:
        """Hang up at once: whoever waits for an answer is told that the session is over."""
        if self._opened is not None:
            self._opened.hang_up()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> SessionAnswer:
        answer = self._talk.next_answer(None)
        if answer is None:
            raise StopIteration
        return answer

    def __enter__(self) -> Self:
        if self._opened is not None:
            raise ClientStateError("a session is opened once")
        exchange = self._transport.run(self._prepare)
        self._inversion, talk = exchange.inversion, _Talk(exchange)
        self._opened = talk

        def hold() -> None:
            failure = None
            try:
                self._transport.run(self._converse(exchange, talk))
            except Exception as error:
                failure = error
            talk.over(failure)

        # In the context of whoever opens it: what an application traces goes on in the session.
        run = copy_context().run
        threading.Thread(target=run, args=(hold,), name="relatent-session", daemon=True).start()
        try:
            talk.until_open()
        except BaseException:
            talk.hang_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _talk(self) -> _Talk:
        if self._opened is None:
            raise ClientStateError("the session is not open: use it in a with block")
        return self._opened
