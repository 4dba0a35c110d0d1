"""When calls will have been answered: held against deadlines, it says who may begin and who need not go on.

What a call takes is an estimate, from what its graphs cost as measured. So those who judge by it leave some
room, to the side where an error costs less.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from relatent_service.traffic.call import Call
from relatent_service.traffic.pace import Pace
from relatent_service.traffic.running_mean import RunningMean
from relatent_service.traffic.sharing import Shares, wait_for_place

INITIAL_OUTSIDE_SECONDS, OUTSIDE_SMOOTHING = 0.02, 0.1
"""What a call takes besides the engine's time, before it was measured; weight of the newest measurement."""
CAUTION = 1.25
"""What is estimated may turn out so much longer; a call is let in only if it is in time even then."""
WAITING_CAUTION = 2.0
"""The same of a call that would have to wait first, for who comes meanwhile is not known. Where many wait up
to their deadlines, each begins when none can be let in beside it, and nothing is left to batch."""
HOPE = 0.9
"""What is estimated may turn out so much shorter; a call at work is ended only if it is late even then."""


@dataclass(frozen=True)
class Work:
    """What a call will ask of the engine.

    Attributes:
        runs: of each graph at most, by its name: steps of a refinement, samples of any other.
        least: as few of them as an answer may take, for a call that answers with what it has when its time
            is up; it is never refused or ended for what it might do beyond that. None: all of `runs`.
        seconds: from its arrival, after which it does so; None for at its deadline.
    """

    runs: Mapping[str, int]
    least: Mapping[str, int] | None = None
    seconds: float | None = None


@dataclass(eq=False)
class Place:
    """A call's place, at work or in the queue.

    Attributes:
        work: what it asked for.
        call: whose deadline counts.
        runs: what it has still to do of it.
        came: when it began to wait, by the monotonic clock.
        away: seconds that it spent on other things than the engine, with its place or without.
        ready: done once the call may begin.
    """

    work: Work
    call: Call
    runs: dict[str, int]
    came: float = field(default_factory=lambda: time.monotonic())
    away: float = 0.0
    ready: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


Places = Collection[Place]


class Forecast:
    """Estimates in seconds from now, of the engine's time where it says so.

    Args:
        pace: what graphs cost.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._outside: dict[frozenset[str], RunningMean] = {}
        """What calls take besides the engine's time, by the graphs that they run."""

    def measure_outside(self, work: Work, seconds: float) -> None:
        """Take what a call took besides the engine's time as a measurement."""
        mean = RunningMean(INITIAL_OUTSIDE_SECONDS, OUTSIDE_SMOOTHING)
        self._outside.setdefault(frozenset(work.runs), mean).measure(max(0.0, seconds))

    def left(self, place: Place) -> float:
        """Seconds of the engine's time that are left of a call, were it to have all that it asked for."""
        return self._seconds(place.runs)

    def cost(self, place: Place) -> float:
        """The same as others see it: no longer than the call may last."""
        ends = [self.left(place)]
        if place.call.deadline is not None:
            ends.append(place.call.deadline - time.monotonic())
        if place.work.seconds is not None:
            ends.append(place.call.arrived + place.work.seconds - time.monotonic())
        return max(0.0, min(ends))

    def total(self, places: Places) -> float:
        """Seconds of the engine's time that are left of several calls."""
        return sum(map(self.cost, places))

    def wait(self, at_work: Places, waiting: Places) -> float:
        """Seconds until a newcomer would have a place, where all of them are taken."""
        return wait_for_place([*map(self.cost, at_work)], map(self.cost, waiting))

    def end_now(self, place: Place, at_work: Places) -> float:
        """Seconds until a call is answered that is at work from now on, beside those that are."""
        others = Shares(self.cost(other) for other in at_work if other is not place)
        needed = self._needed(place)
        return needed + others.taken_beside(needed) + self._outside_of(place)

    def end_after_wait(self, place: Place, at_work: Places, waiting: Places) -> float:
        """Seconds until a call is answered that waits until another leaves, and then shares with the rest."""
        needed = self._needed(place)
        ahead = self.total(at_work) + self.total(waiting)
        shares_later = self.wait(at_work, waiting) + len(at_work) * needed
        return min(shares_later, ahead + needed) + self._outside_of(place)

    def in_time(self, place: Place, at_work: Places) -> bool:
        """Whether a call would be answered in time if it began now."""
        left = place.call.remaining()
        return left is None or CAUTION * self.end_now(place, at_work) <= left

    def would_harm(self, newcomer: Place, at_work: Places) -> bool:
        """Whether a call at work would be answered in time for sure only if this one did not begin now."""
        takes, shares = self.cost(newcomer), Shares(map(self.cost, at_work))
        for place in at_work:
            left = place.call.remaining()
            if left is None or place.work.least is not None:
                continue
            own = self.left(place)
            end = own + shares.taken_beside(own) - min(own, self.cost(place)) + self._outside_of(place)
            if HOPE * end <= left < CAUTION * (end + min(takes, own)):
                return True
        return False

    def is_unknown(self, place: Place, at_work: Places) -> bool:
        """Whether what a call costs was not measured for long, and nobody is at it now."""
        graphs = {graph for other in at_work for graph in other.runs}
        return any(self._pace.is_stale(graph) for graph in place.runs.keys() - graphs)

    def _needed(self, place: Place) -> float:
        """Seconds of the engine's time that a call must have to be answered."""
        return self._seconds(place.runs if place.work.least is None else place.work.least)

    def _outside_of(self, place: Place) -> float:
        mean = self._outside.get(frozenset(place.work.runs))
        return INITIAL_OUTSIDE_SECONDS if mean is None else mean.value

    def _seconds(self, runs: Mapping[str, int]) -> float:
        return sum(count * self._pace.cost(graph) for graph, count in runs.items())
