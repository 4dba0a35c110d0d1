"""Equal calls at the same time: one leads and does the work, the others wait for what it finds.

A leader that gives up hands its lead to the next that waits. One that fails for a fault that all of them
share lets them go, each by itself: one after the other they would wait for the same failure.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from relatent_service.errors import OutOfTime

T = TypeVar("T")


class _Told(Enum):
    """What one that waits is told, other than what was found."""

    LEAD = "lead"
    GO_ALONE = "go alone"


@dataclass
class _Flight(Generic[T]):
    """The calls that wait for a leader, in their order."""

    waiting: deque[asyncio.Future[T | _Told]] = field(default_factory=deque)

    def tell_next(self, what: T | _Told) -> bool:
        """Tell the first that still waits; whether there was one."""
        while self.waiting:
            future = self.waiting.popleft()
            if not future.done():
                future.set_result(what)
                return True
        return False

    def tell_all(self, what: T | _Told) -> None:
        while self.tell_next(what):
            pass


class Seat(Generic[T]):
    """A call's part in a flight.

    Attributes:
        found: what the leader found; None for one that is to do the work.
    """

    def __init__(self, flights: Flights[T], key: str | None, found: T | None = None) -> None:
        self._flights = flights
        self._leads = key
        """The key of the flight that it leads, if it leads one."""
        self.found = found

    def land(self, value: T) -> None:
        """Give all that wait what was found."""
        if (flight := self._end()) is not None:
            flight.tell_all(value)

    def pass_on(self) -> None:
        """Let the next that waits lead; this one goes on alone."""
        if self._leads is not None and self._flights.under_way[self._leads].tell_next(_Told.LEAD):
            self._leads = None
        else:
            self._end()

    def scatter(self) -> None:
        """Let all that wait go, each by itself."""
        if (flight := self._end()) is not None:
            flight.tell_all(_Told.GO_ALONE)

    def _end(self) -> _Flight[T] | None:
        """End the flight, if it leads one: whoever comes now begins another."""
        key, self._leads = self._leads, None
        return None if key is None else self._flights.under_way.pop(key)


class Flights(Generic[T]):
    """The one owner of who waits for whom.

    Args:
        most_waiting: calls that may wait in all; further ones go alone.
        faults: what all equal calls would fail with.

    Attributes:
        under_way: by key.
    """

    def __init__(self, most_waiting: int, faults: tuple[type[Exception], ...]) -> None:
        self._most_waiting = most_waiting
        self._faults = faults
        self._waiting = 0
        self.under_way: dict[str, _Flight[T]] = {}

    @asynccontextmanager
    async def seat(self, key: str, timeout: float | None) -> AsyncIterator[Seat[T]]:
        """Take part among the calls of a key; to be left when the work is done or given up.

        Args:
            key: equal for equal calls.
            timeout: seconds to wait for a leader at most; None for no end.

        Raises:
            OutOfTime: no leader found anything in that time.
        """
        seat = await self._join(key, timeout)
        try:
            yield seat
        except self._faults:
            seat.scatter()
            raise
        finally:
            seat.pass_on()

    async def _join(self, key: str, timeout: float | None) -> Seat[T]:
        flight = self.under_way.get(key)
        if flight is None:
            self.under_way[key] = _Flight()
            return Seat(self, key)
        if self._waiting >= self._most_waiting:
            return Seat(self, None)
        future: asyncio.Future[T | _Told] = asyncio.get_running_loop().create_future()
        flight.waiting.append(future)
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout):
                told = await future
        except BaseException as error:
            if future.done() and not future.cancelled() and future.result() is _Told.LEAD:
                Seat(self, key).pass_on()  # told a moment too late
            future.cancel()
            if isinstance(error, TimeoutError):
                raise OutOfTime(
                    "another call inverts the same, and had not done so in the time that this one has to wait"
                ) from error
            raise
        finally:
            self._waiting -= 1
        if isinstance(told, _Told):
            return Seat(self, key if told is _Told.LEAD else None)
        return Seat(self, None, told)
