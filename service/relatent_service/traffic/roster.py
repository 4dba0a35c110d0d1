"""Who is at work, who waits, and who is set aside, by class; and how many may be."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from relatent.core.traffic import TrafficClass
from relatent_service.traffic.forecast import Slot

BULK_SLOTS = 0.75
"""Of all slots, and of the queue, what bulk calls may have at most, but always one."""
NEXT = 8
"""How many of a class that wait are taken into account: those behind them come too late to matter."""


class Roster:
    """The one owner of who is where.

    Args:
        max_inflight: most calls at work.
        max_queue: most calls waiting or set aside.

    Attributes:
        at_work: those with slots.
        waiting: those in the queue, by class, each in its order.
        aside: those whose slots were given away because their readers do not read.
    """

    def __init__(self, max_inflight: int, max_queue: int) -> None:
        self._most_at_work = _most(max_inflight)
        self._most_waiting = _most(max_queue)
        self.at_work: set[Slot] = set()
        self.waiting: dict[TrafficClass, deque[Slot]] = {each: deque() for each in TrafficClass}
        self.aside: set[Slot] = set()

    def working(self, traffic_class: TrafficClass) -> int:
        """Calls of a class at work."""
        return sum(slot.traffic_class is traffic_class for slot in self.at_work)

    @property
    def all_waiting(self) -> list[Slot]:
        """All in the queue, interactive ones first."""
        return [slot for queue in self.waiting.values() for slot in queue]

    @property
    def everybody(self) -> Iterator[Slot]:
        """Whoever has work left."""
        yield from self.at_work
        yield from self.all_waiting
        yield from self.aside

    def is_full(self, traffic_class: TrafficClass) -> bool:
        """Whether no more calls of a class may be at work."""
        if len(self.at_work) >= self._most_at_work[TrafficClass.INTERACTIVE]:
            return True
        return self.working(traffic_class) >= self._most_at_work[traffic_class]

    def queue_is_full(self, traffic_class: TrafficClass) -> bool:
        """Whether no more calls of a class may wait."""
        held = [*self.all_waiting, *self.aside]
        if len(held) >= self._most_waiting[TrafficClass.INTERACTIVE]:
            return True
        return sum(slot.traffic_class is traffic_class for slot in held) >= self._most_waiting[traffic_class]

    @property
    def next_waiting(self) -> list[Slot]:
        """The first of each class in the queue."""
        return [slot for queue in self.waiting.values() for slot in islice(queue, NEXT)]

    def beside(self, slot: Slot) -> list[Slot]:
        """Those that have a part of the engine's time while a call is at work.

        These are all at work, and the first of the other class that wait, of whom one follows on the other.
        """
        waiting = (queue for each, queue in self.waiting.items() if each is not slot.traffic_class)
        return [*self.at_work, *(other for queue in waiting for other in islice(queue, NEXT))]

    def leave(self, slot: Slot) -> None:
        """A call is done, or has given up, wherever it is."""
        self.at_work.discard(slot)
        self.aside.discard(slot)
        queue = self.waiting[slot.traffic_class]
        if slot in queue:
            queue.remove(slot)


def _most(of: int) -> dict[TrafficClass, int]:
    """How many of so many places each class may have."""
    return {TrafficClass.INTERACTIVE: of, TrafficClass.BULK: max(1, int(BULK_SLOTS * of))}
