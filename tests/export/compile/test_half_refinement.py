"""Refinement's gradient in half precision, computed as such, against float32; and the graph it becomes.

Each fault that half precision invites is caused, and must show.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from relatent_export.compile.lowering import decompositions
from relatent_export.compile.precision import Precision
from relatent_export.compile.step import TracedStep, trace_step
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.pixels import to_bytes
from relatent_export.nets.stylegan2 import Generator
from tests.export.compile.halves import (
    HALF,
    Match,
    Run,
    example,
    random_codes,
    random_generator,
    random_network,
    relative,
    scaled,
)

BOTH = list(Precision)
STEPS = 40


@pytest.fixture(scope="module")
def generator() -> Generator:
    return random_generator()


@pytest.fixture(scope="module")
def network() -> AttributeNetwork:
    return random_network()


@pytest.fixture(scope="module")
def codes() -> Tensor:
    return random_codes()


@pytest.fixture(scope="module")
def target(generator: Generator, codes: Tensor) -> Tensor:
    return to_bytes(generator.synthesis(codes.flip(0)))


@pytest.fixture(scope="module")
def runs(generator: Generator, network: AttributeNetwork) -> dict[Precision, Run]:
    return {p: Run(generator, network, p, p.loss_scale) for p in BOTH}


def test_the_gradient_in_half_is_that_of_float32(
    runs: dict[Precision, Run], codes: Tensor, target: Tensor
) -> None:
    half, full = (runs[p].gradient(codes, target) for p in (HALF, Precision.FLOAT32))
    assert half.dtype is torch.float32
    assert 0 < relative(half, full) < 0.02


def test_refinement_in_half_reaches_the_loss_of_float32(
    runs: dict[Precision, Run], codes: Tensor, target: Tensor
) -> None:
    ends = {p: runs[p].refine(codes, target, STEPS)[1] for p in BOTH}
    assert (ends[HALF][:, -1] < 0.5 * ends[HALF][:, 0]).all()
    assert torch.allclose(ends[HALF][:, -1], ends[Precision.FLOAT32][:, -1], rtol=0.03)


@pytest.mark.parametrize("size", [1e-5, 1e-3, 1e3, 1e6])
def test_callers_may_weigh_the_terms_as_they_please(
    runs: dict[Precision, Run], codes: Tensor, target: Tensor, size: float
) -> None:
    weights = {name: size * weight for name, weight in Match.weights.items()}
    half, full = (runs[p].gradient(codes, target, **weights) for p in (HALF, Precision.FLOAT32))
    assert relative(half, full) < 0.02


def test_a_loss_may_be_far_from_its_end(
    generator: Generator, network: AttributeNetwork, codes: Tensor, target: Tensor
) -> None:
    """Its gradient grows with its root, and is held all the same."""
    bright = scaled(generator, torch.tensor(1.0))
    bright.synthesis.to_rgbs[-1].get_parameter("bias").data += 1000
    half, full = (
        Run(bright, network, p, p.loss_scale).gradient(codes, target) for p in (HALF, Precision.FLOAT32)
    )
    assert relative(half, full) < 0.02


@pytest.mark.parametrize("scale", [2.0**-20, 2.0**30])
def test_the_scale_is_what_keeps_the_gradient(
    generator: Generator,
    network: AttributeNetwork,
    runs: dict[Precision, Run],
    codes: Tensor,
    target: Tensor,
    scale: float,
) -> None:
    """With one far too small or too large, it is lost."""
    lost = Run(generator, network, HALF, scale).gradient(codes, target)
    assert relative(lost, runs[Precision.FLOAT32].gradient(codes, target)) > 0.5
    assert lost.isfinite().all()


def test_a_state_stays_finite_where_half_precision_overflows(
    runs: dict[Precision, Run], codes: Tensor, target: Tensor
) -> None:
    state, _ = runs[HALF].refine(codes * 1e6, target, 3)
    for name in ("w", "w.m", "w.v", "best_w"):
        assert state[f"state.{name}"].isfinite().all(), name


def test_a_leaky_relus_slope_is_exact_in_half() -> None:
    x = torch.tensor([-60000.0, -1.0, -1e-7, 0.0, 6e-8, 1e-5, 1.0, 60000.0]).half()

    def gradient(x: Tensor) -> Tensor:
        return torch.func.grad(lambda y: (torch.nn.functional.leaky_relu(y, 0.2).float()).sum() * 3)(x)

    traced = make_fx(gradient, decomposition_table=decompositions())(x)
    slope = torch.where(x > 0, torch.tensor(3.0).half(), torch.tensor(3.0).half() * 0.2)
    assert torch.equal(traced(x), slope)


def test_channels_are_summed_in_float32(runs: dict[Precision, Run]) -> None:
    """A sum over an image's height and width may be in half, where it becomes a style's gradient."""
    summed = [
        node.args for node in runs[HALF].traced.graph.nodes if node.target is torch.ops.aten.sum.dim_IntList
    ]
    axes = [cast(list[int], args[1]) for args in summed if args[0].meta["val"].dtype is torch.float16]
    assert axes
    assert all(1 not in of_one for of_one in axes)


# ---- the graphs


@pytest.fixture(scope="module")
def exported(generator: Generator, network: AttributeNetwork) -> TracedStep:
    return trace_step(Match(generator, network, HALF), {}, HALF)


def types(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {tensor.name: tensor.data_type for tensor in graph.initializer}


def test_a_half_graph_convolves_in_half_and_steps_in_float32(exported: TracedStep) -> None:
    model = exported.step
    of = types(model)
    convolutions = [
        n for n in model.graph.node if n.op_type in ("Conv", "ConvTranspose") and "fir" not in n.input[1]
    ]
    colours = [n for n in convolutions if of[n.input[0]] == TensorProto.FLOAT]
    # Only colours are resampled in float32: three channels, forwards and backwards.
    assert all(_channels(model, n) == 3 for n in colours)
    assert len(convolutions) - len(colours) >= 20
    adam = [n for n in model.graph.node if n.op_type in ("Pow", "Sqrt", "Reciprocal")]
    assert adam
    assert {of[n.output[0]] for n in adam} == {TensorProto.FLOAT}
    for value in model.graph.output:
        assert of[value.name] == TensorProto.FLOAT, value.name


def _channels(model: onnx.ModelProto, node: onnx.NodeProto) -> int:
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {v.name: v.type.tensor_type.shape for v in (*graph.value_info, *graph.input, *graph.output)}
    return int(shapes[node.input[0]].dim[1].dim_value)


def test_inputs_and_outputs_are_those_of_float32(exported: TracedStep, runs: dict[Precision, Run]) -> None:
    step = runs[Precision.FLOAT32].step
    inputs = {v.name: v.type.tensor_type.elem_type for v in exported.step.graph.input}
    integers = {"iteration": TensorProto.INT64, "steps": TensorProto.INT32}
    assert inputs == {name: integers.get(name, TensorProto.FLOAT) for name in step.inputs}
    for part, names in (
        (exported.step, [*(f"next.{name}" for name in step.state), "loss"]),
        (exported.prepare, [f"prepared.{name}" for name in step.prepared]),
    ):
        assert [value.name for value in part.graph.output] == names
        assert {value.type.tensor_type.elem_type for value in part.graph.output} == {TensorProto.FLOAT}


def test_the_half_graph_runs_and_agrees_with_pytorchs_own_half(
    exported: TracedStep, runs: dict[Precision, Run], codes: Tensor, target: Tensor
) -> None:
    """On processors ONNX Runtime computes it in float32: what this shows is that the graph is whole."""
    run = runs[HALF]
    given = example(run.step, run.objective, codes, target)
    session = onnxruntime.InferenceSession(exported.step.SerializeToString())
    feed = {value.name: given[value.name].numpy() for value in session.get_inputs()}
    answer = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))
    expected, losses = run.refine(codes, target, 1)
    assert np.allclose(answer["loss"], losses[:, 0].numpy(), rtol=5e-3)
    assert relative(torch.from_numpy(answer["next.w.m"]), expected["state.w.m"]) < 0.02
