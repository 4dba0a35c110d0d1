"""What a call would meet that came now, for those who ask before they send it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from relatent_service.errors import ServiceError
from relatent_service.traffic.forecast import Forecast, Slot
from relatent_service.traffic.roster import Roster


@dataclass(frozen=True)
class Outlook:
    """What a call would meet; all seconds are the best guess, without the caution that refusals have.

    Attributes:
        engine_seconds: of the engine's time, for all that it asks for, or all that it would stop at.
        wait_seconds: until it would begin.
        answer_seconds: until it would be answered, as things are.
        refusal: why it would be refused, or ended after its first chunk; None: it would be answered.
    """

    engine_seconds: float
    wait_seconds: float
    answer_seconds: float
    refusal: ServiceError | None

    @classmethod
    def of(
        cls,
        forecast: Forecast,
        slot: Slot,
        roster: Roster,
        refusal: ServiceError | None,
        *,
        begins: bool,
    ) -> Self:
        """The outlook of a newcomer.

        Args:
            forecast: what calls take.
            slot: the newcomer's.
            roster: who is where.
            refusal: why it would be refused, or ended.
            begins: whether it would begin at once.
        """
        own = forecast.left_at_most(slot) if slot.work.least is None else forecast.cost(slot)
        now = forecast.end_of_all(slot, roster.beside(slot))
        if begins:
            return cls(own, 0.0, now, refusal)
        there = roster.at_work, roster.all_waiting
        after = forecast.end_of_all_after_wait(slot, *there)
        return cls(own, forecast.wait(*there, slot.traffic_class), max(now, after), refusal)
