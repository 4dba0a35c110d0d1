"""Timing by turns, and what is said of a row of figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGITS = 4


@dataclass(frozen=True)
class Spread:
    """A row of figures.

    Attributes:
        median: the middle one.
        low, high: the quartiles: half of the figures lie between them.
        count: how many figures there are.
    """

    median: float
    low: float
    high: float
    count: int

    def as_json(self) -> dict[str, float | int]:
        """The same, for a report."""
        quartiles = {name: significant(getattr(self, name)) for name in ("median", "low", "high")}
        return {**quartiles, "count": self.count}


def spread(figures: Sequence[float] | NDArray[Any]) -> Spread:
    """Median and quartiles of at least one figure."""
    low, high = np.percentile(figures, [25, 75])
    return Spread(float(np.median(figures)), float(low), float(high), len(figures))


def significant(value: float) -> float:
    """Rounded to the digits worth printing."""
    return float(f"{value:.{DIGITS}g}")


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def by_turns(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time calls by turns, so that whatever else the machine does falls on all of them alike.

    Every second round goes the other way round: none is always the one after another.

    Returns:
        For each name the seconds of each round. Figures of the same place are of the same round.
    """
    for work in contenders.values():  # the first time is another matter: caches, threads, memory
        work()
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        names = list(contenders) if turn % 2 == 0 else list(contenders)[::-1]
        for name in names:
            taken[name].append(seconds(contenders[name]))
    return taken


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """The ratio of each round: what two contenders shared in a round cancels out."""
    return [a / b for a, b in zip(over, under, strict=True)]
