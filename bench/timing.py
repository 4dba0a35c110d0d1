"""Timing by turns, and what is said of a row of figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

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
        return {name: significant(value) for name, value in asdict(self).items()}


def spread(figures: Sequence[float]) -> Spread:
    """Median and quartiles of at least one figure."""
    low, high = np.percentile(figures, [25, 75])
    return Spread(median(figures), float(low), float(high), len(figures))


def significant(value: float) -> float:
    """Rounded to the digits worth printing."""
    return float(f"{value:.{DIGITS}g}")


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def by_turns(
    contenders: Mapping[str, Callable[[], object]], rounds: int, warmups: int = 1
) -> dict[str, list[float]]:
    """Time calls by turns, so that whatever else the machine does falls on all of them alike.

    Every second round goes the other way round: none is always the one after another.

    Returns:
        For each name the seconds of each round. Figures of the same place are of the same round.
    """
    for _ in range(warmups):
        for work in contenders.values():
            work()
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        names = list(contenders) if turn % 2 == 0 else list(reversed(contenders))
        for name in names:
            taken[name].append(seconds(contenders[name]))
    return taken


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """The ratio of each round: what two contenders shared in a round cancels out."""
    return [a / b for a, b in zip(over, under, strict=True)]
