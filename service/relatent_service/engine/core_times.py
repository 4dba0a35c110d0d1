"""Whether all cores together are worth their while for a few samples, by what runs took of late."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

SHORT_SECONDS = 0.01
"""Of a core's time: a sample that takes no more is not worth a second core's, which would save a few
milliseconds of it and hold up whatever that core does meanwhile."""
WORTH = 0.85
"""Of the time that a core takes for a sample of its own, what all cores must not exceed for it."""
LATE_SECONDS = 2.0
"""What the cores have besides changes: how long a measurement of all of them together holds."""


class CoreTimes:
    """The one owner of how long runs of one graph took.

    With all else quiet, the cores together are done sooner. Where they have other work, each is held up by
    whatever holds up another, and a core by itself is as soon done and takes half as much.

    Args:
        cores: how many there are.
        clock: seconds, from anywhere.
    """

    def __init__(self, cores: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._cores, self._clock = cores, clock
        self._least = math.inf
        """Seconds of a core's time that a run took, at least."""
        self._by_one = math.inf
        """Seconds a run by a core of its own, smoothed."""
        self._by_all = math.inf
        """The same by all together."""
        self._measured = -math.inf
        """When that was measured last."""

    def by_one(self, runs: int, seconds: float) -> None:
        """Take how long a core took for so many runs; nothing is learnt of none, which may be asked for."""
        if runs == 0:
            return
        self._least = min(self._least, seconds / runs)
        self._by_one = _smoothed(self._by_one, seconds / runs)

    def by_all(self, runs: int, seconds: float) -> None:
        """The same of all cores together."""
        if runs == 0:
            return
        self._least = min(self._least, self._cores * seconds / runs)
        before, now = self._by_all, self._clock()
        self._by_all = _smoothed(before if now - self._measured < LATE_SECONDS else math.inf, seconds / runs)
        self._measured = now

    def are_all_worth(self, samples: int, runs: int) -> bool:
        """Whether all cores together are to compute so many samples, fewer than they are.

        Args:
            samples: how many.
            runs: that they are in all.
        """
        if self._least * runs / samples <= SHORT_SECONDS:
            return False
        if self._clock() - self._measured >= LATE_SECONDS:
            return True  # how else is it to be known
        return samples * self._by_all <= WORTH * min(self._by_one, self._cores * self._by_all)


def _smoothed(before: float, newest: float) -> float:
    return newest if math.isinf(before) else (before + newest) / 2
