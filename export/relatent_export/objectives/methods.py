"""The methods of inverting that packs are exported with: an objective, and how it is described.

A new method is an objective in a module of its own and a line in `METHODS`; the tracer, the repository, the
manifest and the service take it from here (docs/tutorials/add-a-method.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from relatent.core.methods import CODE, OWN_INPUTS, FurtherInput, Initial, Method, StartRule, StateTensor
from relatent.core.spaces import Space
from relatent_export.compile.objective import Objective
from relatent_export.compile.precision import Precision
from relatent_export.compile.step import state_shapes
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import reconstruction_objective

MAX_STEPS = 10
"""K: steps of one refinement call. Ten lose nothing against one call a step, and let a caller
that hangs up, or a new one, wait for a fraction of a second."""


@dataclass(frozen=True)
class MethodRecipe:
    """How a method is made of a pack's networks.

    Attributes:
        graph: role of its refinement graph.
        objective: what it minimises, computed in a precision; its variable `w` is the code.
        default_steps: of an inversion unless the caller says otherwise.
        starts: where it may start, the default first.
    """

    graph: str
    objective: Callable[[Networks, Precision], Objective]
    default_steps: int
    starts: tuple[StartRule, ...] = (StartRule.ENCODER, StartRule.MEAN, StartRule.LATENT)


METHODS: Mapping[str, MethodRecipe] = {
    "hybrid": MethodRecipe("refine", reconstruction_objective, default_steps=100),
}
"""By name, the default first."""


def describe(
    name: str, networks: Networks, rates: Mapping[str, float], weights: Mapping[str, float]
) -> Method:
    """A method as a pack's manifest describes it.

    Args:
        name: of the method.
        networks: the pack's.
        rates: Adam's step size from the encoder's code and from the mean; given codes start as the former.
        weights: default weights of the objective's terms; the objective's own if left out.
    """
    recipe = METHODS[name]
    objective = recipe.objective(networks, Precision.FLOAT32)
    starts = [
        start for start in recipe.starts if networks.encoder is not None or start is not StartRule.ENCODER
    ]
    return Method(
        name=name,
        graph=recipe.graph,
        space=Space.W_PLUS,
        max_steps=MAX_STEPS,
        default_steps=recipe.default_steps,
        rates={start: rates["mean" if start is StartRule.MEAN else "encoder"] for start in starts},
        terms={**objective.weights, **{term: weights[term] for term in objective.weights if term in weights}},
        inputs=_further_inputs(objective),
        state=_state(objective, networks),
        answer={CODE: f"best_{CODE}"},
    )


def _further_inputs(objective: Objective) -> dict[str, FurtherInput]:
    return {
        name: FurtherInput(_numpy_name(condition.dtype), condition.shape, condition.default)
        for name, condition in objective.conditions.items()
        if name not in OWN_INPUTS and not name.startswith("weight.")
    }


def _state(objective: Objective, networks: Networks) -> dict[str, StateTensor]:
    codes = {*objective.variables, *objective.carried, *(f"best_{name}" for name in objective.variables)}
    state = {}
    for name, shape in state_shapes(objective, networks.bases).items():
        initial = Initial.ZEROS
        if name in codes:
            initial = Initial.CODE
        elif name == "best_loss":
            initial = Initial.INFINITY
        state[name] = StateTensor(tuple(shape), initial)
    return state


def _numpy_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
