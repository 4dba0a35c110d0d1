"""What sessions of both clients are, but for how they wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import grpc

from relatent.client.errors import ClientStateError, DeadlineError
from relatent.client.exchange import Exchange
from relatent.client.requests import Operation
from relatent.client.results import Inversion, SessionAnswer
from relatent.client.retrying import Flow


class Talk(Protocol):
    """What the caller's threads or tasks do at their end of a session."""

    def change(self, operations: Sequence[Operation]) -> int:
        """Say what is to be edited."""

    def finish(self) -> None:
        """Say that nothing more comes."""


R = TypeVar("R")
K = TypeVar("K", bound=Talk)


class HeldSession(Generic[R, K]):
    """A session before it is opened, and what is told to it afterwards.

    Args:
        transport: the client's.
        prepare: finds the code that is edited.
        converse: holds the session.
        timeout: seconds that an answer is waited for, unless told otherwise.
    """

    def __init__(
        self,
        transport: R,
        prepare: Flow[Exchange],
        converse: Callable[[Exchange, Any], Flow[None]],
        timeout: float,
    ) -> None:
        self._transport, self._prepare, self._converse = transport, prepare, converse
        self._timeout = timeout
        self._inversion: Inversion | None = None
        self._opened: K | None = None
        self._is_begun = False

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

    def finish(self) -> None:
        """No more changes: the last one is still answered, and then iteration ends."""
        self._talk.finish()

    def _begin(self) -> None:
        """Take the one time that it may be opened, whether that comes off or not.

        Raises:
            ClientStateError: it was taken before.
        """
        if self._is_begun:
            raise ClientStateError("a session is opened once")
        self._is_begun = True

    @property
    def _talk(self) -> K:
        if self._opened is None:
            raise ClientStateError("the session is not open: use it in a with or async with block")
        return self._opened


def answer_late(seconds: float) -> DeadlineError:
    """What to say of an answer that did not come in time."""
    return DeadlineError(grpc.StatusCode.DEADLINE_EXCEEDED, f"no answer within {seconds:g} s")


def answer_of(read: SessionAnswer | None) -> SessionAnswer:
    """An answer that somebody asked for.

    Raises:
        ClientStateError: there will be none.
    """
    if read is None:
        raise ClientStateError("the session is over: there are no more answers")
    return read
