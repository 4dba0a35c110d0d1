"""Admission by time: a call is let in if it, and those at work, can be answered before their deadlines.

A call says what work it is at most; the measured pace says what that costs; and as calls at work share
the engine evenly, from the two follows when each of them will have ended
(`relatent_service.traffic.forecast`). So

- a newcomer that would end after its deadline is refused at once, and told when there will be time for it;
- one that would make another miss its deadline waits, even where there is a slot;
- one at work that cannot be in time any more is ended before its next chunk, so that its share goes to the
  others.

Whatever the load, the engine's time goes to answers that somebody still waits for.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice

from relatent.core.tracing import span
from relatent_service.errors import OutOfTime, Overloaded
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import CAUTION, HOPE, WAITING_CAUTION, Forecast, Slot, Work
from relatent_service.traffic.lifecycle import Lifecycle, shutting_down
from relatent_service.traffic.outlook import Outlook
from relatent_service.traffic.pace import Pace
from relatent_service.traffic.quotas import Quotas

MIN_RETRY_SECONDS = 0.1
PASSING_SECONDS = 10.0
"""One that waits only for others' sake may be passed by those who come after it for so long."""
LOOKED_AT = 8
"""How many of those who wait are tried when somebody leaves; the others' turn comes."""
AWAY_SHARE = 0.1
"""Of a call's time, what it may be away in all without losing its slot."""


class Admission:
    """The one owner of who is at work, who waits, and who is set aside.

    Args:
        max_inflight: most calls at work.
        max_queue: most calls waiting or set aside.
        pace: what graphs cost.
        lifecycle: says whether the server drains.
        on_entry: told of every call that gets a slot how many seconds it waited.
        quotas: what keys may have of the engine; None: whatever they ask for.

    Attributes:
        pace: the same.
    """

    def __init__(
        self,
        max_inflight: int,
        max_queue: int,
        pace: Pace,
        lifecycle: Lifecycle,
        on_entry: Callable[[float], None] = lambda _: None,
        quotas: Quotas | None = None,
    ) -> None:
        self.pace = pace
        self._quotas = quotas or Quotas()
        self._max_inflight = max_inflight
        self._max_queue = max_queue
        self._lifecycle = lifecycle
        self._on_entry = on_entry
        self._forecast = Forecast(pace)
        self._at_work: set[Slot] = set()
        self._queue: deque[Slot] = deque()
        self._aside: set[Slot] = set()

    @property
    def inflight(self) -> int:
        """Calls at work."""
        return len(self._at_work)

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return len(self._queue)

    @property
    def aside(self) -> int:
        """Calls whose slots were given away because their readers do not read."""
        return len(self._aside)

    def backlog_seconds(self) -> float:
        """Seconds of the engine's time that all calls together still need, at the measured pace."""
        return self._forecast.total((*self._at_work, *self._queue, *self._aside))

    def estimated_wait(self) -> float:
        """Seconds until a newcomer would have a slot."""
        if not self._full() and not self._queue:
            return 0.0
        return self._forecast.wait(self._at_work, self._queue)

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
        self._quotas.check(work.steps)
        slot = Slot(work, call, dict(work.runs))
        if not self._can_begin(slot):
            self._refuse_in_vain(slot)
        settle = self._quotas.take(work.steps, call)
        self._queue.append(slot)
        try:
            await self._wait(slot)
            self._on_entry(call.queue_seconds)
            began, before = time.monotonic(), call.engine_seconds()
            yield slot
            elapsed = time.monotonic() - began
            self._forecast.measure_outside(work, elapsed - (call.engine_seconds() - before) - slot.away)
        finally:
            settle()
            self._leave(slot)

    def would_meet(self, work: Work, call: Call) -> Outlook:
        """What a call would meet that came now; nothing comes of it."""
        slot = Slot(work, call, dict(work.runs))
        begins, refusal = self._can_begin(slot), None
        try:
            (self.check_in_time if begins else self._refuse_in_vain)(slot)
        except (OutOfTime, Overloaded) as error:
            refusal = error
        return Outlook.of(self._forecast, slot, self._at_work, self._queue, refusal, begins=begins)

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
        end = self._forecast.end_now(slot, self._at_work)
        if HOPE * end > left:
            raise self._too_near(end, left)

    @asynccontextmanager
    async def away(self, slot: Slot, seconds: float) -> AsyncIterator[None]:
        """Do something without the engine that may take long, such as sending to a reader that does not read.

        After so many seconds in all of a call's times away, and a share of how long it is here, the slot
        is given away; when what is done is done, the call waits for another, before all newcomers.

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
        if slot in self._aside:
            self._aside.remove(slot)
            if self._lifecycle.is_draining:
                raise shutting_down()
            slot.ready = asyncio.get_running_loop().create_future()
            self._queue.appendleft(slot)
            before = slot.call.queue_seconds
            await self._wait(slot)
            slot.away += slot.call.queue_seconds - before

    def send_away(self) -> None:
        """Send away those who wait, as the server drains."""
        while self._queue:
            self._queue.popleft().refuse(shutting_down())

    def _can_begin(self, slot: Slot) -> bool:
        """Whether a newcomer would be let in at once."""
        if not self._at_work and not self._queue:
            return True  # it takes nobody's time, and how else should a pace be unlearnt that was too slow
        return not self._full() and self._may_pass_all() and self._suits(slot)

    def _suits(self, slot: Slot) -> bool:
        """Whether a call that began now would be in time, and would not make another late.

        One whose cost is not known any more is tried, beside whatever is at work: else a pace that was too
        slow once would be believed for ever.
        """
        forecast = self._forecast
        if forecast.is_unknown(slot, self._at_work):
            return True
        return forecast.in_time(slot, self._at_work) and not forecast.would_harm(slot, self._at_work)

    def _may_pass_all(self) -> bool:
        """Whether nobody has waited for so long that all others must wait behind."""
        return not self._queue or not self._impassable(self._queue[0])

    def _impassable(self, slot: Slot) -> bool:
        return time.monotonic() - slot.came > PASSING_SECONDS

    def _refuse_in_vain(self, slot: Slot) -> None:
        """Refuse a newcomer that would wait, or be at work, in vain.

        Raises:
            Overloaded: see `slot`.
        """
        if len(self._queue) + len(self._aside) >= self._max_queue:
            wait = self.estimated_wait()
            raise Overloaded(
                f"{len(self._at_work)} calls at work and {len(self._queue)} waiting, the most this server "
                f"takes; a slot is expected in {wait:.1f} s",
                max(wait, MIN_RETRY_SECONDS),
                reason="QUEUE_FULL",
            )
        left = slot.call.remaining()
        if left is None:
            return
        end = CAUTION * self._forecast.end_now(slot, self._at_work)
        if end <= left:
            caution = CAUTION if self._full() else WAITING_CAUTION
            end = caution * self._forecast.end_after_wait(slot, self._at_work, self._queue)
        if end > left:
            raise self._too_near(end, left)

    async def _wait(self, slot: Slot) -> None:
        began = time.monotonic()
        self._let_in()
        try:
            with span("wait for a slot"):
                await slot.ready
        finally:
            slot.call.queue_seconds += time.monotonic() - began

    def _leave(self, slot: Slot) -> None:
        self._at_work.discard(slot)
        self._aside.discard(slot)
        if slot in self._queue:
            self._queue.remove(slot)
        self._let_in()

    def _set_aside(self, slot: Slot) -> None:
        if slot in self._at_work:
            self._at_work.remove(slot)
            self._aside.add(slot)
            self._let_in()

    def _let_in(self) -> None:
        """Give slots to those that wait, in their order, as long as that makes nobody late."""
        for slot in list(islice(self._queue, LOOKED_AT)):
            if self._full():
                return
            if self._at_work and not slot.ready.done() and not self._suits(slot):
                if self._forecast.in_time(slot, self._at_work):
                    if self._impassable(slot):
                        return
                    continue
                end = CAUTION * self._forecast.end_now(slot, self._at_work)
                slot.refuse(self._too_near(end, slot.call.remaining() or 0.0))
            self._queue.remove(slot)
            if not slot.ready.done():
                self._at_work.add(slot)
                slot.ready.set_result(None)

    def _full(self) -> bool:
        return len(self._at_work) >= self._max_inflight

    def _too_near(self, end: float, left: float) -> Overloaded:
        """Sooner than what is here now has been done, another call like this would hardly fare better."""
        return Overloaded(
            f"an answer may take {end:.1f} s, and the call's deadline is in {max(0.0, left):.1f} s",
            max(self._forecast.total((*self._at_work, *self._queue)), MIN_RETRY_SECONDS),
            reason="DEADLINE_TOO_NEAR",
        )
