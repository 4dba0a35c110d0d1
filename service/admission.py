"""Bounded admission: so many calls at work, so many waiting, and none that would wait in vain.

Work is counted in refinement steps; an image to synthesise counts as one. The engine's pace, seconds a
step, is measured as it goes. From the two follows how long a newcomer would wait, which is held
against its deadline before it is let in, and told to those turned away.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from service.call import Call
from service.errors import NotReady, Overloaded
from service.lifecycle import DRAINING_RETRY_SECONDS
from service.running_mean import RunningMean

INITIAL_SECONDS_A_STEP = 0.02
SMOOTHING = 0.1
"""Weight of the newest measurement in the running mean of the pace."""
MIN_RETRY_SECONDS = 0.1


@dataclass(eq=False)
class Place:
    """A call's place, at work or in the queue.

    Attributes:
        work: steps it still has to do.
        seconds_a_step: what its last chunk took, its neighbours' steps included; 0 before the first.
    """

    work: int
    seconds_a_step: float = 0.0
    ready: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Admission:
    """The one owner of who is at work, who waits, and of the measured pace.

    Args:
        max_inflight: most calls at work.
        max_queue: most calls waiting.
        on_entry: told of every call that gets a place how many seconds it waited.
    """

    def __init__(
        self, max_inflight: int, max_queue: int, on_entry: Callable[[float], None] = lambda _: None
    ) -> None:
        self._max_inflight = max_inflight
        self._max_queue = max_queue
        self._on_entry = on_entry
        self._at_work: set[Place] = set()
        self._queue: deque[Place] = deque()
        self._outstanding = 0
        self._pace = RunningMean(INITIAL_SECONDS_A_STEP, SMOOTHING)
        self._closed = False

    @property
    def inflight(self) -> int:
        """Calls at work."""
        return len(self._at_work)

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return len(self._queue)

    @property
    def seconds_a_step(self) -> float:
        """The engine's measured pace: seconds for one step of one call, all calls together."""
        return self._pace.value

    def backlog_seconds(self) -> float:
        """Seconds of work outstanding, at the measured pace."""
        return self._outstanding * self.seconds_a_step

    def measure(self, steps: int, seconds: float) -> None:
        """Take a chunk of one call as a measurement of the pace.

        The engine shares its time among the calls at work, so a step of one takes about their number
        times as long as it would cost alone.
        """
        self._pace.measure(seconds / (steps * max(1, len(self._at_work))))

    def advance(self, place: Place, steps: int, seconds: float) -> None:
        """Note that a call has done some of its work."""
        self.measure(steps, seconds)
        place.seconds_a_step = seconds / steps
        self._outstanding -= min(steps, place.work)
        place.work = max(0, place.work - steps)

    def check(self, call: Call) -> None:
        """Turn a call away that has no hope of a place, before anything is spent on it.

        Raises:
            NotReady: the server is draining.
            Overloaded: the queue is full, or the wait longer than the call's deadline allows.
        """
        if self._closed:
            raise NotReady("this server is shutting down", DRAINING_RETRY_SECONDS, reason="DRAINING")
        if len(self._at_work) < self._max_inflight and not self._queue:
            return
        wait, remaining = self.estimated_wait(), call.remaining()
        if len(self._queue) >= self._max_queue:
            raise Overloaded(
                f"{len(self._at_work)} calls at work and {len(self._queue)} waiting, the most this server "
                f"takes; a place is expected in {wait:.1f} s",
                max(wait, MIN_RETRY_SECONDS),
                reason="QUEUE_FULL",
            )
        if remaining is not None and wait > remaining:
            raise Overloaded(
                f"a place is expected in {wait:.1f} s, and the call's deadline is in {remaining:.1f} s",
                max(wait, MIN_RETRY_SECONDS),
                reason="DEADLINE_TOO_NEAR",
            )

    def estimated_wait(self) -> float:
        """Seconds until a newcomer would have a place.

        Calls at work share the engine evenly. So in units of steps done by each of them, a place is
        free when the shortest call ends; its place goes to the first in the queue, and so on.
        """
        if len(self._at_work) < self._max_inflight:
            return 0.0
        ends = [place.work for place in self._at_work]
        heapq.heapify(ends)
        for place in self._queue:
            heapq.heapreplace(ends, ends[0] + place.work)
        return ends[0] * len(ends) * self.seconds_a_step

    @asynccontextmanager
    async def place(self, work: int, call: Call) -> AsyncIterator[Place]:
        """Wait for a place, and hold it.

        Args:
            work: steps the call will do at most, images included.
            call: whose deadline counts and whose `queue_seconds` is set.

        Raises:
            NotReady, Overloaded: as `check`.
        """
        self.check(call)
        place = Place(max(1, work))
        self._outstanding += place.work
        try:
            await self._wait(place, call)
            self._on_entry(call.queue_seconds)
            yield place
        finally:
            self._leave(place)

    def close(self) -> None:
        """Let nobody in any more and send away those who wait."""
        self._closed = True
        while self._queue:
            waiting = self._queue.popleft()
            if not waiting.ready.done():
                waiting.ready.set_exception(
                    NotReady("this server is shutting down", DRAINING_RETRY_SECONDS, reason="DRAINING")
                )

    async def _wait(self, place: Place, call: Call) -> None:
        if len(self._at_work) < self._max_inflight and not self._queue:
            self._at_work.add(place)
            return
        began = time.monotonic()
        self._queue.append(place)
        await place.ready
        call.queue_seconds = time.monotonic() - began

    def _leave(self, place: Place) -> None:
        self._outstanding -= place.work
        place.work = 0
        if place in self._at_work:
            self._at_work.remove(place)
        elif place in self._queue:
            self._queue.remove(place)
        while self._queue and len(self._at_work) < self._max_inflight:
            following = self._queue.popleft()
            if not following.ready.done():
                self._at_work.add(following)
                following.ready.set_result(None)
