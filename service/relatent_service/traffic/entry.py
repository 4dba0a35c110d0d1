"""Who may begin, and whom it is better to refuse: by where calls are, and when they will have ended."""

from __future__ import annotations

import time

from relatent.core.traffic import TrafficClass
from relatent_service.errors import Overloaded
from relatent_service.traffic.forecast import CAUTION, WAITING_CAUTION, Forecast, Slot
from relatent_service.traffic.roster import Roster

MIN_RETRY_SECONDS = 0.1
LOOKED_AT = 8
"""How many of each class who wait are tried when somebody comes or leaves; the others' turn comes."""
PASSING_SECONDS = 10.0
"""One that waits only for others' sake may be passed by those of its class who come after it for so long."""


class EntryRules:
    """Judges newcomers and those who wait. It changes nothing.

    Args:
        roster: who is where.
        forecast: when calls end.
    """

    def __init__(self, roster: Roster, forecast: Forecast) -> None:
        self._roster = roster
        self._forecast = forecast

    def estimated_wait(self, traffic_class: TrafficClass) -> float:
        """Seconds until a newcomer of a class would have a slot."""
        roster = self._roster
        if not roster.is_full(traffic_class) and not roster.waiting[traffic_class]:
            return 0.0
        return self._forecast.wait(roster.at_work, roster.all_waiting, traffic_class)

    def can_begin(self, slot: Slot) -> bool:
        """Whether a newcomer would be let in at once."""
        roster = self._roster
        if not roster.at_work and not roster.all_waiting:
            return True  # it takes nobody's time, and how else should a pace be unlearnt that was too slow
        queue = roster.waiting[slot.traffic_class]
        may_pass = not queue or (len(queue) < LOOKED_AT and not is_impassable(queue[0]))
        return may_pass and not roster.is_full(slot.traffic_class) and self.suits(slot)

    def suits(self, slot: Slot) -> bool:
        """Whether a call that began now would be in time, and would not make another late.

        One whose cost is not known any more is tried, beside whatever is at work: else a pace that was too
        slow once would be believed for ever. A bulk call that has been passed for long harms nobody either:
        interactive calls that came since were let in beside its share.
        """
        forecast, roster = self._forecast, self._roster
        if forecast.is_unknown(slot, roster.at_work):
            return True
        if not forecast.in_time(slot, roster.beside(slot)):
            return False
        return self._was_passed(slot) or not forecast.would_harm(slot, roster.at_work, roster.next_waiting)

    def _was_passed(self, slot: Slot) -> bool:
        """Whether a bulk call has been passed for long, and none of its class is at work."""
        bulk = TrafficClass.BULK
        return slot.traffic_class is bulk and is_impassable(slot) and not self._roster.working(bulk)

    def refuse_in_vain(self, slot: Slot) -> None:
        """Refuse a newcomer that would wait, or be at work, in vain.

        Raises:
            Overloaded: see `slot`.
        """
        roster = self._roster
        if roster.queue_is_full(slot.traffic_class):
            wait = self.estimated_wait(slot.traffic_class)
            raise Overloaded(
                f"{len(roster.at_work)} calls at work and {len(roster.all_waiting)} waiting, the most this "
                f"server takes of {slot.traffic_class} ones; a slot is expected in {wait:.1f} s",
                max(wait, MIN_RETRY_SECONDS),
                reason="QUEUE_FULL",
            )
        left = slot.call.remaining()
        if left is None:
            return
        caution = CAUTION[slot.traffic_class]
        end = caution * self._forecast.end_now(slot, roster.beside(slot))
        if end <= left:
            if not roster.is_full(slot.traffic_class):
                caution = WAITING_CAUTION
            end = caution * self._forecast.end_after_wait(slot, roster.at_work, roster.all_waiting)
        if end > left:
            raise self.too_near(slot, end, left)

    def too_near(self, slot: Slot, end: float, left: float) -> Overloaded:
        """Sooner than what is here now has been done, another call like this would hardly fare better."""
        retry = self._forecast.done(slot.traffic_class, [*self._roster.at_work, *self._roster.all_waiting])
        return Overloaded(
            f"an answer may take {end:.1f} s, and the call's deadline is in {max(0.0, left):.1f} s",
            max(retry, MIN_RETRY_SECONDS),
            reason="DEADLINE_TOO_NEAR",
        )


def is_impassable(slot: Slot) -> bool:
    """Whether a call has waited for so long that all of its class must wait behind."""
    return time.monotonic() - slot.waits_since > PASSING_SECONDS
