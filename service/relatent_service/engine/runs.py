"""How much graphs are asked to do: a run is one step of a refinement, or one sample through any other."""

from __future__ import annotations

from collections.abc import Mapping

from relatent_service.engine.batches import samples_of
from relatent_service.engine.engine import Array

STEPS = "steps"
"""The input that says how many steps a refinement graph is to do."""


def runs_of(inputs: Mapping[str, Array]) -> int:
    """Steps of a refinement, or samples of any other graph."""
    if STEPS in inputs:
        return int(inputs[STEPS].sum())
    return samples_of(inputs)
