"""A channel that is made anew while calls go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

C = TypeVar("C")
M = TypeVar("M")


class RenewedChannel(Generic[M, C]):
    """The channel to a server: a call that begins gets the newest, an older one goes with its last call.

    gRPC reads a client's certificate once, when a channel is made; so a new one needs a new channel. Nothing
    here waits. Whoever takes channels from several threads holds a lock of their own.

    Args:
        make: makes a channel.
        newest: what it is made with: another object wherever it has changed.
    """

    def __init__(self, make: Callable[[M], C], newest: Callable[[], M]) -> None:
        self._make = make
        self._newest = newest
        self._current: tuple[M, C] | None = None
        self._calls: dict[C, int] = {}
        """How many are under way on each channel that is open."""

    def take(self) -> C:
        """The channel for a call that begins; `give_back` it when the call has ended."""
        newest = self._newest()
        if self._current is None or self._current[0] is not newest:
            self._current = newest, self._make(newest)
        channel = self._current[1]
        self._calls[channel] = self._calls.get(channel, 0) + 1
        return channel

    def give_back(self, channel: C) -> list[C]:
        """A call on a channel has ended.

        Returns:
            The channels that are to be closed, as nothing is under way on them and they are not the newest.
        """
        if channel in self._calls:
            self._calls[channel] -= 1
        current = None if self._current is None else self._current[1]
        ended = [each for each, calls in self._calls.items() if not calls and each is not current]
        for each in ended:
            del self._calls[each]
        return ended

    def replace(self) -> None:
        """Have the next call begin on a new channel."""
        self._current = None

    def let_go(self) -> list[C]:
        """All channels that are open, to be closed."""
        self._current = None
        channels, self._calls = list(self._calls), {}
        return channels
