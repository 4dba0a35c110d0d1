"""Admission by time: a call is let in if it, and those at work, can be answered before their deadlines.

A call says what work it is at most; the measured pace says what that costs; and as calls at work share
the engine evenly, from the two follows when each of them will have ended
(`relatent_service.traffic.forecast`). So

- a newcomer that would end after its deadline is refused at once, and told when there will be time for it;
- one that would make another miss its deadline waits, even where there is a slot;
- one at work that cannot be in time any more is ended before its next chunk, so that its share goes to the
  others.

Whatever the load, the engine's time goes to answers that somebody still waits for.

Interactive calls get slots before bulk ones. These have some at most, and the next that there is where they
have none although they have had less of the engine than their share.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice

from relatent.core.tracing import span
from relatent.core.traffic import TrafficClass
from relatent_service.errors import OutOfTime, Overloaded
from relatent_service.traffic.call import Call
from relatent_service.traffic.entry import LOOKED_AT, EntryRules, is_impassable
from relatent_service.traffic.fair_share import FairShare
from relatent_service.traffic.forecast import CAUTION, HOPE, Forecast, Slot, Work
from relatent_service.traffic.lifecycle import Lifecycle, shutting_down
from relatent_service.traffic.outlook import Outlook
from relatent_service.traffic.pace import Pace
from relatent_service.traffic.quotas import Quotas
from relatent_service.traffic.roster import Roster

AWAY_SHARE = 0.1
"""Of a call's time, what it may be away in all without losing its slot."""


class Admission:
    """Says who begins, who waits, who is refused and who is ended.

    Args:
        max_inflight: most calls at work.
        max_queue: most calls waiting or set aside.
        pace: what graphs cost.
        lifecycle: says whether the server drains.
        on_entry: told of every call that gets a slot, and so how many seconds it waited.
        quotas: what keys may have of the engine; None: whatever they ask for.

    Attributes:
        pace: the same.
        share: gives bulk calls at work their turns at the engine.
    """

    def __init__(
        self,
        max_inflight: int,
        max_queue: int,
        pace: Pace,
        lifecycle: Lifecycle,
        on_entry: Callable[[Call], None] = lambda _: None,
        quotas: Quotas | None = None,
    ) -> None:
        self.pace = pace
        self.share = FairShare()
        self._roster = Roster(max_inflight, max_queue)
        self._quotas = quotas or Quotas()
        self._lifecycle = lifecycle
        self._on_entry = on_entry
        self._forecast = Forecast(pace, self.share)
        self._rules = EntryRules(self._roster, self._forecast)

    @property
    def inflight(self) -> int:
        """Calls at work."""
        return len(self._roster.at_work)

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return len(self._roster.all_waiting)

    @property
    def aside(self) -> int:
        """Calls whose slots were given away because their readers do not read."""
        return len(self._roster.aside)

    def inflight_of(self, traffic_class: TrafficClass) -> int:
        """Calls of a class at work."""
        return self._roster.working(traffic_class)

    def waiting_of(self, traffic_class: TrafficClass) -> int:
        """Calls of a class in the queue."""
        return len(self._roster.waiting[traffic_class])

    def backlog_seconds(self) -> float:
        """Seconds of the engine's time that all calls together still need, at the measured pace."""
        return self._forecast.total([*self._roster.everybody])

    @asynccontextmanager
    async def slot(self, work: Work, call: Call) -> AsyncIterator[Slot]:
        """Wait for a slot, and hold it.

        Args:
            work: what the call will ask of the engine.
            call: whose deadline counts and whose `queue_seconds` is set.

        Raises:
            NotReady: the server is draining.
            Overloaded: too many wait already, or there is no hope of an answer before the deadline.
            OverWholeQuota, QuotaUsed: the caller's key may not have so many steps.
        """
        if self._lifecycle.is_draining:
            raise shutting_down()
        # `take` sees to it as well; but who is over the quota is to hear of that before any load.
        self._quotas.check(work.steps)
        slot = Slot(work, call, dict(work.runs))
        if not self._rules.can_begin(slot):
            self._rules.refuse_in_vain(slot)
        settle = self._quotas.take(work.steps, call)
        self._roster.waiting[slot.traffic_class].append(slot)
        try:
            await self._wait(slot)
            self._on_entry(call)
            began, before = time.monotonic(), call.engine_seconds()
            yield slot
            inside = time.monotonic() - began - slot.away - slot.waited_again
            self._forecast.measure_outside(work, inside - (call.engine_seconds() - before))
        finally:
            settle()
            self._leave(slot)

    def would_meet(self, work: Work, call: Call) -> Outlook:
        """What a call would meet that came now; nothing comes of it."""
        slot = Slot(work, call, dict(work.runs))
        begins, refusal = self._rules.can_begin(slot), None
        try:
            (self.check_in_time if begins else self._rules.refuse_in_vain)(slot)
        except (OutOfTime, Overloaded) as error:
            refusal = error
        return Outlook.of(self._forecast, slot, self._roster, refusal, begins=begins)

    def advance(self, slot: Slot, graph: str, runs: int) -> None:
        """Note that a call has done some of its work."""
        slot.runs[graph] = max(0, slot.runs.get(graph, 0) - runs)
        self._let_in()

    def check_in_time(self, slot: Slot) -> None:
        """Called between chunks of a call at work.

        Raises:
            OutOfTime: it could not be answered in time even if it were alone.
            Overloaded: nor can it beside the others.
        """
        left = slot.call.remaining()
        if left is None or slot.work.least is not None:
            return
        own = self._forecast.left(slot)
        if HOPE * own > left:
            raise OutOfTime(
                f"what is left of it takes {own:.1f} s, and the call's deadline is in {left:.1f} s; "
                "give it more time or fewer steps, or ask for the best at the deadline"
            )
        end = self._forecast.soonest_end(slot, self._roster.at_work)
        if HOPE * end > left:
            raise self._rules.too_near(slot, end, left)

    @asynccontextmanager
    async def away(self, slot: Slot, seconds: float) -> AsyncIterator[None]:
        """Do something without the engine that may take long, such as sending to a reader that does not read.

        After so many seconds in all of a call's times away, and a share of how long it is here, the slot
        is given away; when what is done is done, the call waits for another, before all newcomers of its
        class.

        Raises:
            NotReady, Overloaded: afterwards; as `slot`.
        """
        left = time.monotonic()
        allowed = seconds + AWAY_SHARE * (left - slot.came) - slot.away
        timer = asyncio.get_running_loop().call_later(max(0.0, allowed), self._set_aside, slot)
        try:
            yield
        finally:
            timer.cancel()
            slot.away += time.monotonic() - left
        if slot in self._roster.aside:
            self._roster.aside.remove(slot)
            if self._lifecycle.is_draining:
                raise shutting_down()
            slot.ready, slot.waits_since = asyncio.get_running_loop().create_future(), time.monotonic()
            self._roster.waiting[slot.traffic_class].appendleft(slot)
            before = slot.call.queue_seconds
            await self._wait(slot)
            slot.waited_again += slot.call.queue_seconds - before

    def send_away(self) -> None:
        """Send away those who wait, as the server drains."""
        for slot in self._roster.all_waiting:
            self._roster.leave(slot)
            slot.refuse(shutting_down())
        self._tell_share()

    async def _wait(self, slot: Slot) -> None:
        began = time.monotonic()
        self._let_in()
        try:
            with span("wait for a slot"):
                await slot.ready
        finally:
            slot.call.queue_seconds += time.monotonic() - began

    def _leave(self, slot: Slot) -> None:
        self._roster.leave(slot)
        self._let_in()

    def _set_aside(self, slot: Slot) -> None:
        if slot in self._roster.at_work:
            self._roster.at_work.remove(slot)
            self._roster.aside.add(slot)
            self._let_in()

    def _let_in(self) -> None:
        """Give slots to those that wait, in their order, as long as that makes nobody late."""
        queues = self._roster.waiting
        bulk = queues[TrafficClass.BULK]
        if bulk and not self._roster.working(TrafficClass.BULK) and self.share.is_owed:
            self._let_in_of(bulk, 1)
        for queue in queues.values():
            self._let_in_of(queue, LOOKED_AT)
        self._tell_share()

    def _let_in_of(self, queue: deque[Slot], most: int) -> None:
        roster = self._roster
        # One that has given up, but does not know it yet, must not keep a place among those that are tried.
        still = (slot for slot in queue if not slot.ready.done())
        for slot in list(islice(still, most)):
            if roster.is_full(slot.traffic_class):
                return
            if roster.at_work and not self._rules.suits(slot):
                if self._forecast.in_time(slot, roster.beside(slot)):
                    if is_impassable(slot):
                        return
                    continue
                end = CAUTION[slot.traffic_class] * self._forecast.end_now(slot, roster.beside(slot))
                slot.refuse(self._rules.too_near(slot, end, slot.call.remaining() or 0.0))
            queue.remove(slot)
            if not slot.ready.done():
                roster.at_work.add(slot)
                slot.ready.set_result(None)

    def _tell_share(self) -> None:
        roster, first, bulk = self._roster, TrafficClass.INTERACTIVE, TrafficClass.BULK
        at_work, waiting = roster.working(first), len(roster.waiting[first])
        self.share.want(
            interactive=at_work + waiting,
            kept_out=waiting > 0 and at_work == 0,
            bulk=roster.working(bulk) + len(roster.waiting[bulk]),
        )
