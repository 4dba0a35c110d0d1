"""A day of calls, drawn from a seed: hours that differ, and bursts, some of which are of long calls alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DAY_SECONDS = 86_400.0
MINUTE = 60.0
CALLS_A_SECOND = 1.5
"""Over the day, but for bursts."""
NIGHT = 0.15
"""Calls a second at the quietest, over those at the busiest."""
STEPS, SHARES = (20, 100, 300, 1500), (0.40, 0.40, 0.15, 0.05)
"""What calls ask for, and how many of them: a look, the usual, the best, and a restart-heavy search."""
BURSTS_A_DAY, BURST_MINUTES, BURST_FACTORS = 24, (2, 15), (2.0, 6.0)
LONG_BURSTS = 0.3
"""Of the bursts, those that are of long calls alone, as a batch job's are: as much work in fewer calls."""


@dataclass(frozen=True)
class DayOfCalls:
    """Calls in the order of their arrival.

    Attributes:
        moments: float64 [N], seconds from the begin of the day.
        steps: int64 [N], of refinement.
    """

    moments: npt.NDArray[np.float64]
    steps: npt.NDArray[np.int64]

    def longer(self, times: int) -> DayOfCalls:
        """As much work in so many times fewer calls, each of which is so many times as long."""
        return DayOfCalls(self.moments[::times], self.steps[::times] * times)


def draw_day(seed: int, seconds: float = DAY_SECONDS) -> DayOfCalls:
    """Draw the calls of a day's first seconds."""
    random = np.random.default_rng(seed)
    minutes = int(np.ceil(seconds / MINUTE))
    middle = (np.arange(minutes) + 0.5) * MINUTE / DAY_SECONDS
    hours = NIGHT + (1 - NIGHT) * np.sin(np.pi * middle) ** 2
    usual = CALLS_A_SECOND * hours / (NIGHT + (1 - NIGHT) / 2)
    short, long = usual.copy(), np.zeros(minutes)
    mean, longest = float(np.dot(STEPS, SHARES)), STEPS[-1]
    for begin in np.flatnonzero(random.random(minutes) < BURSTS_A_DAY * MINUTE / DAY_SECONDS):
        lasts = slice(begin, begin + int(random.integers(*BURST_MINUTES)))
        more = (random.uniform(*BURST_FACTORS) - 1) * usual[lasts]
        if random.random() < LONG_BURSTS:
            long[lasts] += more * mean / longest
        else:
            short[lasts] += more
    parts = [_arrivals(random, rates) for rates in (short, long)]
    steps = [random.choice(STEPS, len(parts[0]), p=SHARES), np.full(len(parts[1]), longest)]
    moments, asked = np.concatenate(parts), np.concatenate(steps)
    order = np.argsort(moments, kind="stable")
    order = order[: int(np.searchsorted(moments[order], seconds))]
    return DayOfCalls(moments[order], asked[order])


def _arrivals(random: np.random.Generator, rates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Moments of calls that know nothing of each other, at so many a second in each minute."""
    counts = random.poisson(rates * MINUTE)
    minutes = np.repeat(np.arange(len(rates)), counts)
    moments: npt.NDArray[np.float64] = (minutes + random.random(len(minutes))) * MINUTE
    return moments
