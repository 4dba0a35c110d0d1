"""When a refinement ends. Pure, but for the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from relatent.core.stopping import Plateau, StopReason
from relatent_service.traffic.call import Call

CHUNK_SECONDS = 5.0
"""A chunk on a slow engine is cut to about this."""


@dataclass(frozen=True)
class StopRules:
    """When to end.

    Attributes:
        steps: after so many in all.
        target_loss: when the loss is at most this.
        plateau: when the loss stops falling.
        time_budget: so many seconds after the call came.
        best_at_deadline: shortly before the call's deadline, rather than failing at it.
    """

    steps: int
    target_loss: float | None = None
    plateau: Plateau | None = None
    time_budget: float | None = None
    best_at_deadline: bool = False

    @property
    def answers_when_time_is_up(self) -> bool:
        """Whether it answers with what it has when its time is up, however many steps that were."""
        return self.best_at_deadline or self.time_budget is not None


def reached(rules: StopRules, losses: NDArray[np.float32]) -> StopReason | None:
    """Why to end after the steps done so far, or None to go on.

    Args:
        rules: when to end.
        losses: the loss before each step so far, finite.
    """
    if rules.target_loss is not None and len(losses) and losses.min() <= rules.target_loss:
        return StopReason.TARGET_LOSS
    if rules.plateau is not None and len(losses) > rules.plateau.steps:
        before = losses[: -rules.plateau.steps].min()
        # A loss of zero cannot fall by any fraction of itself.
        if before == 0 or before - losses.min() < rules.plateau.min_improvement * abs(before):
            return StopReason.PLATEAU
    return StopReason.STEPS if len(losses) >= rules.steps else None


def time_limit(rules: StopRules, call: Call, reserve: float) -> tuple[float, StopReason] | None:
    """When time runs out, by the monotonic clock, and which rule says so; None for never.

    Args:
        rules: when to end.
        call: whose arrival and deadline count.
        reserve: seconds that an answer needs after the last step.
    """
    limits = []
    if rules.time_budget is not None:
        limits.append((call.arrived + rules.time_budget, StopReason.TIME_BUDGET))
    if rules.best_at_deadline and call.deadline is not None:
        limits.append((call.deadline - reserve, StopReason.DEADLINE))
    return min(limits, key=lambda limit: limit[0], default=None)


def even_chunk(left: int, most: int) -> int:
    """Steps of the next chunk, so that those still to come are about alike and no more than need be.

    Chunks run together, and all take as long as the longest of them: a short last one would cost as much.
    """
    return ceil(left / ceil(left / most)) if left else 0


def affordable_steps(seconds_a_step: float, most: int) -> int:
    """Steps of a chunk that is not too long to wait for, by whoever hangs up or looks at progress."""
    if seconds_a_step * most <= CHUNK_SECONDS:
        return most
    return max(1, int(CHUNK_SECONDS / seconds_a_step))


def steps_in_time(end: float, seconds_a_step: float, most: int, *, first: bool) -> int:
    """How many steps, up to `most`, fit in before `end`; the first chunk tries one if there is any time."""
    left = end - time.monotonic()
    if left <= 0:
        return 0
    fitting = min(most, int(left / seconds_a_step)) if seconds_a_step > 0 else most
    return max(1, fitting) if first else fitting
