"""How a caller wants an image refined, checked: when to end, how fast, and what counts."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from relatent.core.methods import Method, StartRule
from relatent.core.stopping import Plateau
from relatent.v1 import inversion_pb2
from relatent_service.catalog import shown
from relatent_service.errors import InvalidField
from relatent_service.inversion.refinement import SavedState
from relatent_service.inversion.stopping import StopRules

Floats = NDArray[np.float32]


def read_rules(
    method: Method, refinement: inversion_pb2.Refinement, default: int, max_steps: int, field: str
) -> StopRules:
    """When to end.

    Raises:
        InvalidField: a field is not what it must be.
    """
    steps = min(default, max_steps)
    if refinement.HasField("steps"):
        steps = refinement.steps
    if method.graph is None and steps > 0:
        raise InvalidField(
            f"{field}.steps", f"expected 0: method {method.name!r} does not refine, got {steps}"
        )
    if steps > max_steps:
        raise InvalidField(
            f"{field}.steps", f"expected 0 to {max_steps}, got {steps}", reason="TOO_MANY_STEPS"
        )
    target = refinement.target_loss if refinement.HasField("target_loss") else None
    if target is not None and not math.isfinite(target):
        raise InvalidField(f"{field}.target_loss", f"expected a finite number, got {target:g}")
    return StopRules(
        steps=steps,
        target_loss=target,
        plateau=_read_plateau(refinement.plateau, field) if refinement.HasField("plateau") else None,
        time_budget=_read_budget(refinement, field) if refinement.HasField("time_budget") else None,
        best_at_deadline=refinement.best_at_deadline,
    )


def _read_plateau(plateau: inversion_pb2.Plateau, field: str) -> Plateau:
    if plateau.steps < 1:
        raise InvalidField(f"{field}.plateau.steps", "expected at least 1, got 0")
    if not 0 < plateau.min_improvement < 1:
        raise InvalidField(
            f"{field}.plateau.min_improvement",
            f"expected a fraction between 0 and 1, got {plateau.min_improvement:g}",
        )
    return Plateau(plateau.steps, plateau.min_improvement)


def _read_budget(refinement: inversion_pb2.Refinement, field: str) -> float:
    budget = refinement.time_budget
    if budget.seconds < 0 or not 0 <= budget.nanos < 10**9 or (budget.seconds, budget.nanos) == (0, 0):
        raise InvalidField(
            f"{field}.time_budget",
            f"expected a duration above 0, got {budget.seconds} seconds and {budget.nanos} nanos",
        )
    return budget.seconds + budget.nanos / 1e9


def read_learning_rate(
    method: Method,
    refinement: inversion_pb2.Refinement,
    start: StartRule | Floats | SavedState,
    field: str,
) -> float:
    """Adam's step size: the one wished, or the start's own.

    Raises:
        InvalidField: it is not above 0.
    """
    if refinement.HasField("learning_rate"):
        rate = refinement.learning_rate
        if not (math.isfinite(rate) and rate > 0):
            raise InvalidField(f"{field}.learning_rate", f"expected a finite number above 0, got {rate:g}")
        return rate
    match start:
        case SavedState():
            return start.learning_rate or method.rates[method.default_start]
        case StartRule():
            return method.rates[start]
        case _:
            return method.rates[StartRule.LATENT]


def read_weights(method: Method, wanted: Mapping[str, float], field: str) -> dict[str, float]:
    """The weight of every term of a method's objective.

    Raises:
        InvalidField: a term is not there, a weight is not at least 0, or all are 0.
    """
    weights = dict(method.terms)
    for name, weight in wanted.items():
        path = f"{field}.weights[{shown(name)}]"
        if name not in weights:
            raise InvalidField(path, f"expected a term of the objective: {', '.join(sorted(weights))}")
        if not (math.isfinite(weight) and weight >= 0):
            raise InvalidField(path, f"expected a finite number of at least 0, got {weight:g}")
        weights[name] = weight
    if weights and not any(weights.values()):
        raise InvalidField(f"{field}.weights", "expected at least one above 0; all are 0")
    return weights
