"""The methods of inverting that packs are exported with: an objective, and how it is described.

A new method is an objective in a module of its own and a line in `METHODS`; the tracer, the repository, the
manifest and the service take it from here (docs/extending/add-a-method.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from relatent.core.graphs import Role
from relatent.core.methods import OWN_INPUTS, FurtherInput, Initial, Method, StartRule, StateTensor
from relatent.core.presets import Preset, PresetChoice
from relatent.core.spaces import CODE, CodeParts, Space
from relatent_export.compile.objective import Objective
from relatent_export.compile.precision import Precision
from relatent_export.compile.step import Bases, state_shapes
from relatent_export.nets.networks import Networks
from relatent_export.objectives.in_domain import forced_objective, in_domain_objective
from relatent_export.objectives.multi_code import multi_code_objective
from relatent_export.objectives.offsets import feature_objective, layered_objective
from relatent_export.objectives.reconstruction import reconstruction_objective
from relatent_export.objectives.restoration import restoration_objective
from relatent_export.objectives.single_code import single_code_bases, single_code_objective
from relatent_export.objectives.spaces import SPACES
from relatent_export.objectives.text import text_objective

MAX_STEPS = 10
"""K: steps of one refinement call. Ten lose nothing against one call a step, and let a caller
that hangs up, or a new one, wait for a fraction of a second."""

_FROM_ENCODER = (StartRule.ENCODER, StartRule.MEAN, StartRule.LATENT)
_FROM_MEAN = (StartRule.MEAN, StartRule.ENCODER, StartRule.LATENT)


def _own_coordinates(networks: Networks) -> Bases:
    return networks.bases


@dataclass(frozen=True)
class MethodRecipe:
    """How a method is made of a pack's networks.

    Attributes:
        graph: role of its refinement graph; None: it ends where it starts.
        objective: what it minimises, computed in a precision; its variable `w` is the code.
        default_steps: of an inversion unless the caller says otherwise.
        starts: where it may start, the default first.
        space: of the codes that it finds.
        weights: of its terms, where they are not the objective's own.
        bases: the coordinates that its variables are stepped in.
        encoder: role of the graph that it takes the encoder's code from.
        needs: names of the networks that it cannot do without.
        reconstructs: whether a pack's weights of terms, which are for reconstructing images, hold for it.
    """

    graph: str | None
    objective: Callable[[Networks, Precision], Objective]
    default_steps: int
    starts: tuple[StartRule, ...] = _FROM_ENCODER
    space: Space = Space.W_PLUS
    weights: Mapping[str, float] = field(default_factory=dict)
    bases: Callable[[Networks], Bases] = _own_coordinates
    encoder: Role = Role.ENCODE
    needs: tuple[str, ...] = ()
    reconstructs: bool = True


METHODS: Mapping[str, MethodRecipe] = {
    "hybrid": MethodRecipe("refine", reconstruction_objective, default_steps=100),
    "encoder": MethodRecipe(
        None, reconstruction_objective, default_steps=0, starts=(StartRule.ENCODER,), needs=("encoder",)
    ),
    "optimize": MethodRecipe(
        "refine", reconstruction_objective, default_steps=300, starts=_FROM_MEAN, weights={"anchor": 0.0}
    ),
    "optimize_w": MethodRecipe(
        "refine_w",
        single_code_objective,
        default_steps=300,
        starts=_FROM_MEAN,
        space=Space.W,
        weights={"anchor": 0.0},
        bases=single_code_bases,
    ),
    "in_domain": MethodRecipe("refine_domain", in_domain_objective, default_steps=100, needs=("encoder",)),
    "force_in_domain": MethodRecipe(
        "refine_forced",
        forced_objective,
        default_steps=100,
        encoder=Role.ENCODE_FORCED,
        needs=("encoder", "forced_encoder"),
    ),
    "multi_code": MethodRecipe("refine_multi", multi_code_objective, default_steps=100, space=Space.MULTI),
    "layered": MethodRecipe("refine_layered", layered_objective, default_steps=100, space=Space.LAYERED),
    "feature": MethodRecipe("refine_feature", feature_objective, default_steps=100, space=Space.FEATURE),
    "restore": MethodRecipe("refine_restore", restoration_objective, default_steps=100),
    "text": MethodRecipe(
        "refine_text", text_objective, default_steps=40, needs=("image_text",), reconstructs=False
    ),
}
"""By name, the default first."""

LIGHT = ("hybrid", "encoder", "optimize")
"""The methods that need no graph besides the default's: what a pack has unless told otherwise."""

_FAST_STEPS = 10
_BALANCED_STEPS = {"feature": 20, "hybrid": 30}
"""By the method that is a pack's best."""


def available(networks: Networks, names: Sequence[str]) -> tuple[str, ...]:
    """Of some methods those that a pack's networks allow."""
    return tuple(
        name for name in names if all(getattr(networks, need) is not None for need in METHODS[name].needs)
    )


def describe(
    name: str, networks: Networks, rates: Mapping[str, float], weights: Mapping[str, float]
) -> Method:
    """A method as a pack's manifest describes it.

    Args:
        name: of the method.
        networks: the pack's.
        rates: Adam's step size from the encoder's code and from the mean; given codes start as the former.
        weights: default weights of the terms of reconstruction; the method's own if left out.
    """
    recipe = METHODS[name]
    starts = [
        start for start in recipe.starts if networks.encoder is not None or start is not StartRule.ENCODER
    ]
    stepped = {start: rates["mean" if start is StartRule.MEAN else "encoder"] for start in starts}
    if recipe.graph is None:
        code = (networks.generator.config.layers, networks.generator.config.latent_width)
        state = {CODE: StateTensor(code, Initial.CODE)}
        return Method(name, None, recipe.space, MAX_STEPS, 0, stepped, {}, state, {CODE: CODE})
    objective = recipe.objective(networks, Precision.FLOAT32)
    shared = weights if recipe.reconstructs else {}
    terms = {**objective.weights, **shared, **recipe.weights}
    return Method(
        name=name,
        graph=recipe.graph,
        space=recipe.space,
        max_steps=MAX_STEPS,
        default_steps=recipe.default_steps,
        rates=stepped,
        terms={term: terms[term] for term in objective.weights},
        inputs=_further_inputs(objective),
        state=_state(objective, recipe.bases(networks)),
        answer={part: _answer(part, objective) for part in _parts(recipe.space, networks)},
        encoder=recipe.encoder,
    )


def code_parts(
    networks: Networks, names: Sequence[str], more: Sequence[Space] = ()
) -> dict[Space, CodeParts]:
    """What codes of the spaces of some methods, and of others, are made of, beyond W and W+."""
    spaces = dict.fromkeys((*(METHODS[name].space for name in names), *more))
    return {space: SPACES[space](networks) for space in spaces if space in SPACES}


def presets(names: Sequence[str]) -> dict[Preset, PresetChoice]:
    """What presets stand for in a pack of some methods (docs/methods.md says why)."""
    fast = PresetChoice("encoder", 0) if "encoder" in names else PresetChoice("hybrid", _FAST_STEPS)
    best = "feature" if "feature" in names else "hybrid"
    return {
        Preset.FAST: fast,
        Preset.BALANCED: PresetChoice(best, _BALANCED_STEPS[best]),
        Preset.BEST: PresetChoice(best, METHODS[best].default_steps),
    }


def _further_inputs(objective: Objective) -> dict[str, FurtherInput]:
    return {
        name: FurtherInput(_numpy_name(condition.dtype), condition.shape, condition.default)
        for name, condition in objective.conditions.items()
        if name not in OWN_INPUTS and not name.startswith("weight.")
    }


def _state(objective: Objective, bases: Bases) -> dict[str, StateTensor]:
    code = objective.variables[CODE]
    start = Initial.CODES if len(code) > 2 else Initial.CODE
    codes = {CODE, f"best_{CODE}", *objective.carried}
    state = {}
    for name, shape in state_shapes(objective, bases).items():
        initial = Initial.ZEROS
        if name in codes:
            initial = start
        elif name == "best_loss":
            initial = Initial.INFINITY
        state[name] = StateTensor(tuple(shape), initial)
    return state


def _parts(space: Space, networks: Networks) -> Sequence[str]:
    return list(SPACES[space](networks).parts) if space in SPACES else [CODE]


def _answer(part: str, objective: Objective) -> str:
    """What is no variable of its own belongs to the code that was found."""
    return f"best_{part if part in objective.variables else CODE}"


def _numpy_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
