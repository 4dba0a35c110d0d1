"""Gradient tracing: an objective in PyTorch becomes one optimiser step as an ONNX graph.

The step is written once, in PyTorch: the gradient of the summed per-sample losses by
`torch.func.grad`, then Adam (Kingma & Ba 2015), in coordinates of a pack's own where there are any
(`relatent_export.nets.coordinates`), then the book-keeping that makes samples
independent of each other (a sample whose steps are done is frozen, each keeps its own best). It is
traced with its backward pass by `make_fx` and exported. `relatent_export.compile.loop` repeats it K times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import onnx
import torch
from onnx import helper
from torch import Tensor, fx, nn
from torch.fx.experimental.proxy_tensor import make_fx

from relatent_export.compile.lowering import absorb_factors, decompositions, fold_constants
from relatent_export.compile.objective import Objective
from relatent_export.compile.onnx import EXAMPLES, export_module
from relatent_export.compile.precision import Precision
from relatent_export.nets.coordinates import Coordinates

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8

_LEAST = 1e-20
"""Added to a loss times its weight, which may be 0."""

_OVERFLOWN = 1e30
"""No gradient is as large, but for infinite ones; and what is not a number is not less than it."""


@dataclass(frozen=True)
class StepSignature:
    """Names and shapes of a traced step.

    Attributes:
        state: shapes of the state's tensors that a step changes, without the batch axis, by name.
        carried: names of those it only reads.
        conditions: names of the conditions that the step itself reads.
        prepared: names of what `prepare` computes.
    """

    state: Mapping[str, tuple[int, ...]]
    carried: tuple[str, ...]
    conditions: tuple[str, ...]
    prepared: tuple[str, ...]


@dataclass(frozen=True)
class TracedStep:
    """One optimiser step and the work done once before it, as ONNX models.

    Attributes:
        signature: names and shapes.
        step: inputs `iteration` (int64 scalar), `steps` (int32 [B, 1]), `learning_rate`
            (float32 [B, 1]), `state.*`, conditions, `prepared.*`; outputs `next.*` for what a step
            changes, `loss` [B].
        prepare: inputs the conditions it reads; outputs `prepared.*`.
    """

    signature: StepSignature
    step: onnx.ModelProto
    prepare: onnx.ModelProto


Bases = Mapping[str, Coordinates]
"""What a variable is stepped in, as each of several codes [N, ...] is; one without in its own numbers."""


def state_shapes(objective: Objective, bases: Bases) -> dict[str, tuple[int, ...]]:
    """Shapes of the state's tensors: variables, Adam's moments, the best so far, the carried."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in objective.variables.items():
        moment = _moment_shape(shape, bases.get(name))
        shapes |= {name: shape, f"{name}.m": moment, f"{name}.v": moment, f"best_{name}": shape}
    return {**shapes, "step": (1,), "best_loss": (1,), **objective.carried}


def _moment_shape(shape: tuple[int, ...], coordinates: Coordinates | None) -> tuple[int, ...]:
    if coordinates is None:
        return shape
    return (*shape[:-2], coordinates.numbers) if len(shape) > 2 else (coordinates.numbers,)


class OptimizerStep(nn.Module):
    """One Adam step of an objective, over flat lists of tensors.

    Args:
        objective: whose losses are minimised.
        bases: the variables' coordinates.
        prepared: names of what the objective prepares.
        loss_scale: of `Precision`: the size that a gradient is brought to while it is taken.
    """

    def __init__(
        self, objective: Objective, bases: Bases, prepared: tuple[str, ...], loss_scale: float = 1.0
    ) -> None:
        super().__init__()
        self.objective, self.bases, self.loss_scale = objective, bases, loss_scale
        self.shapes = state_shapes(objective, bases)
        self.state = tuple(name for name in self.shapes if name not in objective.carried)
        self.carried = tuple(objective.carried)
        self.conditions = tuple(n for n, c in objective.conditions.items() if n.startswith("weight."))
        self.prepared = prepared

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, in order."""
        return [
            "iteration",
            "steps",
            "learning_rate",
            *(f"state.{name}" for name in (*self.state, *self.carried)),
            *self.conditions,
            *(f"prepared.{name}" for name in self.prepared),
        ]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Take the tensors named by `inputs`; return the next state and the loss before the step."""
        values = dict(zip(self.inputs, tensors, strict=True))
        state = {name: values[f"state.{name}"] for name in self.state}
        conditions = {name: values[name] for name in self.conditions}
        prepared = {name: values[f"prepared.{name}"] for name in self.prepared}
        variables = {name: state[name] for name in self.objective.variables}
        carried = {name: values[f"state.{name}"] for name in self.carried}

        def total(variables: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            losses = self.objective.losses(variables, carried, conditions, prepared)
            if self.loss_scale == 1:
                return losses.sum(), losses
            return (losses * self._scale(losses.detach(), conditions)).sum(), losses

        gradients, losses = cast(
            tuple[dict[str, Tensor], Tensor], torch.func.grad(total, has_aux=True)(variables)
        )
        if self.loss_scale != 1:
            scale = self._scale(losses, conditions)
            gradients = {name: _unscaled(gradient, scale) for name, gradient in gradients.items()}
        active = values["iteration"].to(torch.int32) < values["steps"]
        following = _advance(state, gradients, self.bases, losses[:, None], values["learning_rate"], active)
        loss = torch.where(active[:, 0], losses, float("nan"))
        return (*(following[name] for name in self.state), loss)

    def _scale(self, losses: Tensor, conditions: Mapping[str, Tensor]) -> Tensor:
        """What each sample's loss is multiplied by, [B].

        Losses are sums of squares, and the gradient of one is at most in proportion to its root and to
        that of its weight. Divided by both it has one size, near and far from the end, however the terms
        are weighed.
        """
        weight = torch.cat([conditions[name] for name in self.conditions], 1).sum(1)
        return self.loss_scale * torch.rsqrt(weight * losses + _LEAST)


def _unscaled(gradient: Tensor, scale: Tensor) -> Tensor:
    """A gradient divided by its loss's scale; where half precision could not hold it, 0."""
    held = gradient.abs() < _OVERFLOWN
    return torch.where(held, gradient / scale[:, None][_per_sample(gradient)], 0.0)


def _advance(
    state: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    bases: Bases,
    losses: Tensor,
    learning_rate: Tensor,
    active: Tensor,
) -> dict[str, Tensor]:
    """Adam's update where a sample is active, and its best so far; per-sample values are [B, 1]."""
    following = dict(state)
    step = state["step"] + 1
    better = active & (losses < state["best_loss"])
    following["step"] = torch.where(active, step, state["step"])
    following["best_loss"] = torch.where(better, losses, state["best_loss"])
    for name, gradient in gradients.items():
        value, first, second = state[name], state[f"{name}.m"], state[f"{name}.v"]
        coordinates = bases.get(name)
        if coordinates is not None:
            gradient = coordinates.along(gradient.flatten(first.ndim - 1))
        axes, whole = _per_sample(gradient), _per_sample(value)
        moved_first = _BETA_1 * first + (1 - _BETA_1) * gradient
        moved_second = _BETA_2 * second + (1 - _BETA_2) * gradient * gradient
        scale = (learning_rate / (1 - torch.pow(_BETA_1, step)))[axes]
        deviation = (moved_second / (1 - torch.pow(_BETA_2, step))[axes]).sqrt() + _EPSILON
        move = scale * moved_first / deviation
        if coordinates is not None:
            move = coordinates.moved(move).reshape(value.shape)
        following[name] = torch.where(active[whole], value - move, value)
        following[f"{name}.m"] = torch.where(active[axes], moved_first, first)
        following[f"{name}.v"] = torch.where(active[axes], moved_second, second)
        following[f"best_{name}"] = torch.where(better[whole], value, state[f"best_{name}"])
    return following


def _per_sample(value: Tensor) -> tuple[slice | None, ...]:
    """An index that lets [B, 1] meet a value [B, ...]."""
    return (slice(None), slice(None), *([None] * (value.ndim - 2)))


def trace_step(objective: Objective, bases: Bases, precision: Precision = Precision.FLOAT32) -> TracedStep:
    """Trace an objective's optimiser step, forward and backward, with a free batch axis.

    Args:
        objective: whose losses are minimised.
        bases: the variables' coordinates.
        precision: that the objective computes in.
    """
    conditions = _example_conditions(objective)
    with torch.no_grad():
        prepared = objective.prepare(conditions)
    step = OptimizerStep(objective, bases, tuple(prepared), precision.loss_scale)
    return TracedStep(
        signature=StepSignature(
            {name: step.shapes[name] for name in step.state},
            step.carried,
            step.conditions,
            step.prepared,
        ),
        step=_export_step(step, _example_inputs(step, conditions, prepared)),
        prepare=_export_prepare(objective, conditions),
    )


def _example_conditions(objective: Objective, batch: int = EXAMPLES) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(0)
    examples = {}
    for name, condition in objective.conditions.items():
        shape = (batch, *condition.shape)
        if condition.dtype is torch.uint8:
            examples[name] = torch.randint(0, 256, shape, generator=random, dtype=torch.uint8)
        else:
            examples[name] = torch.rand(shape, generator=random)
    return examples


def _example_inputs(
    step: OptimizerStep,
    conditions: Mapping[str, Tensor],
    prepared: Mapping[str, Tensor],
    batch: int = EXAMPLES,
) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    names = (*step.state, *step.carried)
    state = [torch.randn((batch, *step.shapes[name]), generator=random).abs() for name in names]
    return [
        torch.zeros((), dtype=torch.int64),
        torch.ones(batch, 1, dtype=torch.int32),
        torch.full((batch, 1), 0.01),
        *state,
        *(conditions[name] for name in step.conditions),
        *prepared.values(),
    ]


def with_gradient(step: OptimizerStep, inputs: list[Tensor]) -> fx.GraphModule:
    """A step as a graph of plain operators, its backward pass among them.

    Args:
        step: what to trace.
        inputs: examples of what its `inputs` name; the batch stays free.
    """
    trace = make_fx(
        step, decomposition_table=decompositions(), tracing_mode="symbolic", _allow_non_fake_inputs=True
    )
    traced = trace(*inputs)
    absorb_factors(traced)
    # Flipped and regrouped weights are constants: compute them now, not in every step.
    fold_constants(traced)
    return traced


def _export_step(step: OptimizerStep, inputs: list[Tensor]) -> onnx.ModelProto:
    traced = with_gradient(step, inputs)
    outputs = [f"next.{name}" for name in step.state] + ["loss"]
    return export_module(traced, inputs, step.inputs, outputs, scalars={"iteration"}, plain=True)


def _export_prepare(objective: Objective, conditions: dict[str, Tensor]) -> onnx.ModelProto:
    read = {n: t for n, t in conditions.items() if not n.startswith("weight.")}
    module = _Prepare(objective, tuple(read))
    with torch.no_grad():
        names = list(objective.prepare(read))
    if not names:  # nothing to export
        return helper.make_model(helper.make_graph([], "prepare", [], []))
    outputs = [f"prepared.{name}" for name in names]
    return export_module(module, list(read.values()), list(read), outputs, table=decompositions())


class _Prepare(nn.Module):
    def __init__(self, objective: Objective, names: tuple[str, ...]) -> None:
        super().__init__()
        self.objective, self.names = objective, names

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.objective.prepare(dict(zip(self.names, tensors, strict=True))).values())
