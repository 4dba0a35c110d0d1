"""When a refinement ends, as callers ask for it and answers tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StopReason(StrEnum):
    """Why refinement ended."""

    STEPS = "steps"
    TARGET_LOSS = "target_loss"
    PLATEAU = "plateau"
    TIME_BUDGET = "time_budget"
    DEADLINE = "deadline"


@dataclass(frozen=True)
class Plateau:
    """End refinement when the best loss has fallen by less than `min_improvement` over `steps` steps.

    Attributes:
        steps: at least 1.
        min_improvement: a fraction of the loss itself, in (0, 1).
    """

    steps: int
    min_improvement: float
