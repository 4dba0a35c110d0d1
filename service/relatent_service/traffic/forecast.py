"""When calls will have been answered: held against deadlines, it says who may begin and who need not go on.

What a call takes is an estimate, from what its graphs cost as measured. So those who judge by it leave some
room, to the side where an error costs less.

Calls of one class share evenly. An interactive one is held against what its class needs and the share of the
bulk calls that are there; a bulk one against all that there is, and against what its class would have if
interactive calls came as they did of late.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from relatent.core.traffic import TrafficClass
from relatent_service.traffic.call import Call
from relatent_service.traffic.fair_share import FairShare
from relatent_service.traffic.pace import Pace
from relatent_service.traffic.running_mean import RunningMean
from relatent_service.traffic.sharing import Shares, beside_others, wait_for_slot

INITIAL_OUTSIDE_SECONDS, OUTSIDE_SMOOTHING = 0.02, 0.1
"""What a call takes besides the engine's time, before it was measured; weight of the newest measurement."""
MOST_KINDS = 256
"""Of calls, by the graphs that they run, of which that is kept: edits may name any set of directions."""
CAUTION = {TrafficClass.INTERACTIVE: 1.2, TrafficClass.BULK: 1.3}
"""What is estimated may turn out so much longer; a call is let in only if it is in time even then. More may
come between a bulk call and its answer."""
WAITING_CAUTION = 2.0
"""The same of a call that would have to wait first, for who comes meanwhile is not known. Where many wait up
to their deadlines, each begins when none can be let in beside it, and nothing is left to batch."""
LATE_CAUTION = WAITING_CAUTION / CAUTION[TrafficClass.BULK]
"""How much more of what interactive calls took of late is held against bulk ones."""
HOPE = 0.9
"""What is estimated may turn out so much shorter; a call at work is ended only if it is late even then."""


@dataclass(frozen=True)
class Work:
    """What a call will ask of the engine.

    Attributes:
        runs: of each graph, by its name: steps of a refinement, samples of any other; at most, but for spare.
        least: as few of them as an answer may take, for a call that answers with what it has when its time
            is up; it is never refused or ended for what it might do beyond that. None: all of `runs`.
        seconds: from its arrival, after which it does so; None for at its deadline.
        spare: runs beyond those, which it does where there is time: quotas count them, deadlines do not.
    """

    runs: Mapping[str, int]
    least: Mapping[str, int] | None = None
    seconds: float | None = None
    spare: Mapping[str, int] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Of the engine at most, whatever graph they are of: what a quota counts."""
        return sum(self.runs.values()) + sum(self.spare.values())


@dataclass(eq=False)
class Slot:
    """A call's slot, at work or in the queue.

    Attributes:
        work: what it asked for.
        call: whose deadline counts.
        runs: what it has still to do of it.
        came: when it came, by the monotonic clock.
        waits_since: when it began to wait, or to wait for another slot, by the same clock.
        away: seconds that it spent on other things than the engine, with its slot or without.
        waited_again: seconds that it waited for another slot.
        ready: done once the call may begin.
    """

    work: Work
    call: Call
    runs: dict[str, int]
    came: float = field(default_factory=lambda: time.monotonic())
    waits_since: float = field(default_factory=lambda: time.monotonic())
    away: float = 0.0
    waited_again: float = 0.0
    ready: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def traffic_class(self) -> TrafficClass:
        """Who waits for it."""
        return self.call.traffic_class

    def refuse(self, error: Exception) -> None:
        """Tell a call that waits why it does so in vain."""
        if not self.ready.done():
            self.ready.set_exception(error)


Slots = Collection[Slot]
_OTHER = {
    TrafficClass.INTERACTIVE: TrafficClass.BULK,
    TrafficClass.BULK: TrafficClass.INTERACTIVE,
}


class Forecast:
    """Estimates in seconds from now, of the engine's time where it says so.

    Args:
        pace: what graphs cost.
        share: what bulk calls have of the engine's time.
    """

    def __init__(self, pace: Pace, share: FairShare) -> None:
        self._pace = pace
        self._share = share
        self._outside: dict[frozenset[str], RunningMean] = {}
        """What calls take besides the engine's time, by the graphs that they run; the last measured last."""

    def measure_outside(self, work: Work, seconds: float) -> None:
        """Take what a call took besides the engine's time as a measurement."""
        kind = frozenset(work.runs)
        mean = self._outside.pop(kind, None) or RunningMean(INITIAL_OUTSIDE_SECONDS, OUTSIDE_SMOOTHING)
        mean.measure(max(0.0, seconds))
        self._outside[kind] = mean
        if len(self._outside) > MOST_KINDS:
            del self._outside[next(iter(self._outside))]

    def left(self, slot: Slot) -> float:
        """Seconds of the engine's time that are left of a call, were it to have all that it asked for."""
        return self._seconds(slot.runs)

    def left_at_most(self, slot: Slot) -> float:
        """The same with all that it does where there is time."""
        return self.left(slot) + self._seconds(slot.work.spare)

    def cost(self, slot: Slot) -> float:
        """What is left as others see it: no longer than the call may last."""
        return max(0.0, min(self.left(slot), *_ends(slot)))

    def total(self, slots: Slots) -> float:
        """Seconds of the engine's time that are left of several calls."""
        return sum(map(self.cost, slots))

    def done(self, traffic_class: TrafficClass, there: Slots) -> float:
        """Seconds until all that is there of a class has been done."""
        return self._among(traffic_class, self.total(_of(traffic_class, there)), there)

    def wait(self, at_work: Slots, waiting: Slots, traffic_class: TrafficClass) -> float:
        """Seconds until a newcomer of a class would have a slot, where all are taken that it may have."""
        there, ahead = _of(traffic_class, at_work), _of(traffic_class, waiting)
        if not there:
            return self._until_slot(at_work, ahead)
        return self._among(traffic_class, self._until_slot(there, ahead), [*at_work, *waiting])

    def end_now(self, slot: Slot, at_work: Slots) -> float:
        """Seconds until a call is answered that is at work from now on, beside those that are."""
        return self._end(self._needed(slot), slot, at_work, LATE_CAUTION)

    def soonest_end(self, slot: Slot, at_work: Slots) -> float:
        """The same if none comes any more that goes before it."""
        own = self._own_end(self._needed(slot), slot, at_work)
        return self._among(slot.traffic_class, own, at_work) + self._outside_of(slot)

    def end_of_all(self, slot: Slot, at_work: Slots) -> float:
        """The best guess of a call that has all that it asked for, or all that its time allows."""
        return _in_its_time(slot, self._end(self.left_at_most(slot), slot, at_work, 1.0))

    def end_after_wait(self, slot: Slot, at_work: Slots, waiting: Slots) -> float:
        """Seconds until a call is answered that waits until another leaves, and then shares with the rest."""
        return self._end_after_wait(self._needed(slot), slot, at_work, waiting, LATE_CAUTION)

    def end_of_all_after_wait(self, slot: Slot, at_work: Slots, waiting: Slots) -> float:
        """The best guess of a call that waits so, and has all that it asked for, or its time allows."""
        needed = self.left_at_most(slot)
        return _in_its_time(slot, self._end_after_wait(needed, slot, at_work, waiting, 1.0))

    def in_time(self, slot: Slot, at_work: Slots) -> bool:
        """Whether a call would be answered in time if it began now."""
        left = slot.call.remaining()
        return left is None or CAUTION[slot.traffic_class] * self.end_now(slot, at_work) <= left

    def would_harm(self, newcomer: Slot, at_work: Slots, waiting: Slots = ()) -> bool:
        """Whether a call at work would be answered in time for sure only if this one did not begin now.

        Interactive calls do no harm to bulk ones, which were let in to have their share beside any number of
        them.

        Args:
            newcomer: the call.
            at_work: those that have slots.
            waiting: those that wait for one.
        """
        takes, there = self.cost(newcomer), [slot for slot in (*at_work, *waiting) if slot is not newcomer]
        totals = {each: self.total(_of(each, there)) for each in TrafficClass}
        shares = {each: Shares(map(self.cost, _of(each, at_work))) for each in TrafficClass}
        for slot in at_work:
            its, left = slot.traffic_class, slot.call.remaining()
            is_alike = its is newcomer.traffic_class
            if left is None or slot.work.least is not None or not (is_alike or _goes_first(slot)):
                continue
            own, others = self.left(slot), totals[_OTHER[its]]
            before = own + shares[its].taken_beside(own) - min(own, self.cost(slot))
            end = beside_others(its, before, others)
            if is_alike:
                after = before + min(takes, own)
                later = max(beside_others(its, after, others), self._as_of_late(slot, after, LATE_CAUTION))
            else:
                later = beside_others(its, before, others + takes)
            outside, caution = self._outside_of(slot), CAUTION[its]
            if later > end and HOPE * (end + outside) <= left < caution * (later + outside):
                return True
        return False

    def is_unknown(self, slot: Slot, at_work: Slots) -> bool:
        """Whether what a call costs was not measured for long, and nobody is at it now."""
        graphs = {graph for other in at_work for graph in other.runs}
        return any(self._pace.is_stale(graph) for graph in slot.runs.keys() - graphs)

    def _end(self, own: float, slot: Slot, at_work: Slots, caution: float) -> float:
        own = self._own_end(own, slot, at_work)
        among = self._among(slot.traffic_class, own, at_work)
        return max(among, self._as_of_late(slot, own, caution)) + self._outside_of(slot)

    def _end_after_wait(
        self, needed: float, slot: Slot, at_work: Slots, waiting: Slots, caution: float
    ) -> float:
        its, everybody = slot.traffic_class, [*at_work, *waiting]
        there, ahead = _of(its, at_work), _of(its, waiting)
        if there:
            wait, own = 0.0, self._until_slot(there, ahead) + len(there) * needed
            own = min(own, self.total([*there, *ahead]) + needed)
        else:  # what it waits for is not its class's own time, and nothing comes on top of that
            wait, own = self._until_slot(at_work, ahead), needed
        among = self._among(its, own, everybody)
        return wait + max(among, self._as_of_late(slot, own, caution)) + self._outside_of(slot)

    def _own_end(self, own: float, slot: Slot, at_work: Slots) -> float:
        """Seconds that its class is at the engine until a call has had `own`."""
        others = Shares(self.cost(other) for other in _of(slot.traffic_class, at_work) if other is not slot)
        return own + others.taken_beside(own)

    def _until_slot(self, there: Slots, ahead: Slots) -> float:
        """Seconds that those with slots are at the engine until one of them leaves its slot to a newcomer."""
        return wait_for_slot([*map(self.cost, there)], map(self.cost, ahead))

    def _among(self, traffic_class: TrafficClass, own: float, present: Slots) -> float:
        """Seconds until a class has had `own`, beside all that is there of the other."""
        return beside_others(traffic_class, own, self.total(_of(_OTHER[traffic_class], present)))

    def _as_of_late(self, slot: Slot, own: float, caution: float) -> float:
        """The same if interactive calls come as they did of late."""
        if _goes_first(slot):
            return own
        return own + (own / self._share.bulk_rate - own) * caution

    def _needed(self, slot: Slot) -> float:
        """Seconds of the engine's time that a call must have to be answered."""
        return self._seconds(slot.runs if slot.work.least is None else slot.work.least)

    def _outside_of(self, slot: Slot) -> float:
        mean = self._outside.get(frozenset(slot.work.runs))
        return INITIAL_OUTSIDE_SECONDS if mean is None else mean.value

    def _seconds(self, runs: Mapping[str, int]) -> float:
        return sum(count * self._pace.cost(graph) for graph, count in runs.items())


def _ends(slot: Slot) -> list[float]:
    """Seconds until the times at which a call ends, whatever it has done."""
    ends = [slot.call.deadline, None if slot.work.seconds is None else slot.call.arrived + slot.work.seconds]
    return [math.inf, *(end - time.monotonic() for end in ends if end is not None)]


def _in_its_time(slot: Slot, end: float) -> float:
    """When a call is answered: where it answers with what it has, no later than its time is up."""
    return end if slot.work.least is None else max(0.0, min(end, *_ends(slot)))


def _of(traffic_class: TrafficClass, slots: Slots) -> list[Slot]:
    return [slot for slot in slots if slot.traffic_class is traffic_class]


def _goes_first(slot: Slot) -> bool:
    return slot.traffic_class is TrafficClass.INTERACTIVE
