"""An editing session's heart: one place, in which the newest change waits; what it replaces is dropped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class NumberNotRising(ValueError):
    """A change's number is not above that of the change before.

    Attributes:
        before: that number; 0 before the first change.
    """

    def __init__(self, number: int, before: int) -> None:
        super().__init__(f"{number} is not above {before}")
        self.before = before


@dataclass(frozen=True)
class TakenChange(Generic[T]):
    """A change that is to be answered.

    Attributes:
        number: its caller's.
        asked: what it asks for.
        came: when it came, by the monotonic clock.
        dropped: how many changes were dropped between the one taken before and this one.
    """

    number: int
    asked: T
    came: float
    dropped: int


class NewestChange(Generic[T]):
    """The one owner of the change that waits, of the numbers that came, and of how a session ends.

    However many changes come while one is at work, a single one waits.

    Args:
        on_drop: told of every change that is dropped.
        clock: the monotonic one.
    """

    def __init__(self, on_drop: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._on_drop, self._clock = on_drop, clock
        self._waiting: tuple[int, T, float] | None = None
        self._last_number = 0
        self._dropped = 0
        self._ended = False
        self._error: Exception | None = None
        self._news = asyncio.Event()

    def put(self, number: int, asked: T) -> None:
        """Let a change wait, instead of the one that waits.

        Raises:
            NumberNotRising: its number is not above the one before.
        """
        if number <= self._last_number:
            raise NumberNotRising(number, self._last_number)
        self._last_number = number
        if self._waiting is not None:
            self._dropped += 1
            self._on_drop()
        self._waiting = number, asked, self._clock()
        self._news.set()

    def end(self) -> None:
        """No more will come; the change that waits is still to be answered."""
        self._ended = True
        self._news.set()

    def fail(self, error: Exception) -> None:
        """The session cannot go on: whoever takes gets the first such error, and no change any more."""
        self._error = self._error or error
        self._news.set()

    async def take(self) -> TakenChange[T] | None:
        """The change that waits, or the next that comes; None once all are taken and no more come.

        Raises:
            Exception: what `fail` was told.
        """
        while self._waiting is None and not self._ended and self._error is None:
            self._news.clear()
            await self._news.wait()
        if self._error is not None:
            raise self._error
        if self._waiting is None:
            return None
        (number, asked, came), dropped = self._waiting, self._dropped
        self._waiting, self._dropped = None, 0
        return TakenChange(number, asked, came, dropped)
