"""When calls that share the engine evenly will have ended. Pure.

All figures are seconds of the engine's time: a call that needs `own` of them is charged one for every n
that pass while n calls share. So until it has had all of its own, each of the others takes as much as
it does, or what is left of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence


def shared(own: float, others: Iterable[float]) -> float:
    """Seconds until a call ends that needs `own`, beside others that need so much each and began before."""
    return own + sum(min(own, other) for other in others)


def wait_for_place(at_work: Sequence[float], waiting: Sequence[float]) -> float:
    """Seconds until a newcomer would have a place, where all of them are taken.

    When the shortest call ends, its place goes to the first that waits, and so on; so there are always as
    many that share. In seconds that each of them is charged:

    Args:
        at_work: what those with places still need, at least one.
        waiting: what those need that wait for a place before the newcomer, in their order.
    """
    ends = list(at_work)
    heapq.heapify(ends)
    for own in waiting:
        heapq.heapreplace(ends, ends[0] + own)
    # All share until then, and what is needed bounds what can be waited for.
    return min(ends[0] * len(ends), sum(at_work) + sum(waiting))
