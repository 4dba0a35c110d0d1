"""When calls that share the engine evenly will have ended. Pure.

All figures are seconds of the engine's time: a call that needs `own` of them is charged one for every n
that pass while n calls share. So until it has had all of its own, each of the others takes as much as
it does, or what is left of it.

So it is among calls of one class. Bulk calls together have `BULK_SHARE` while there are interactive ones, and
those have the rest, however many they are.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from relatent.core.traffic import TrafficClass

BULK_SHARE = 0.2
SHARES = {TrafficClass.INTERACTIVE: 1 - BULK_SHARE, TrafficClass.BULK: BULK_SHARE}
"""Of the engine's time, what each class has while both want it."""


class Shares:
    """What calls at work still need, in seconds each."""

    def __init__(self, needs: Iterable[float]) -> None:
        self._needs = sorted(needs)
        self._sums = [0.0, *accumulate(self._needs)]

    def taken_beside(self, own: float) -> float:
        """Seconds that they take, all together, until a call beside them has had `own`."""
        shorter = bisect_right(self._needs, own)
        return self._sums[shorter] + own * (len(self._needs) - shorter)


def wait_for_slot(at_work: Sequence[float], waiting: Iterable[float]) -> float:
    """Seconds until a newcomer would have a slot, where all of them are taken.

    When the shortest call ends, its slot goes to the first that waits, and so on; so there are always as
    many that share.

    Args:
        at_work: what those with slots still need; none where all have just given up.
        waiting: what those need that wait for a slot before the newcomer, in their order.
    """
    if not at_work:
        return 0.0
    ends, total = list(at_work), sum(at_work)
    heapq.heapify(ends)
    for own in waiting:
        heapq.heapreplace(ends, ends[0] + own)
        total += own
    # All share until then; and all that is ahead bounds what can be waited for.
    return min(ends[0] * len(ends), total)


def beside_others(traffic_class: TrafficClass, own: float, others: float) -> float:
    """Seconds until calls of a class have had `own`, beside those of the other class, which need `others`."""
    share = SHARES[traffic_class]
    return own + min(others, own * (1 - share) / share)
