"""Every method's graph takes the steps that PyTorch takes, each sample on its own."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from relatent.core.codes import ORIGIN
from relatent.core.methods import Initial
from relatent.core.presets import Preset
from relatent.core.refinement import answer_of, graph_inputs, initial_state, next_state, state_inputs
from relatent.core.spaces import PLAIN, WITHOUT_CODES, CodePart, CodeParts, Space
from relatent_export.compile.precision import Precision
from relatent_export.compile.step import OptimizerStep
from relatent_export.nets.coordinates import Coordinates
from relatent_export.nets.networks import Networks
from relatent_export.objectives.in_domain import InDomainObjective
from relatent_export.objectives.methods import LIGHT, METHODS, available, code_parts, describe, presets
from relatent_export.objectives.single_code import single_code_bases
from tests.export.objectives.conftest import MAX_STEPS, RATES, Arrays, Traced
from tests.fixtures.small import SMALL

GRAPHS = {recipe.graph: name for name, recipe in METHODS.items() if recipe.graph is not None}
"""One method a graph."""
BATCH = 2


def feed(traced: Traced, batch: int = BATCH, seed: int = 0) -> Arrays:
    random = np.random.default_rng(seed)
    codes = random.normal(size=(batch, SMALL.layers, SMALL.latent_width)).astype(np.float32)
    drawn = random.normal(size=(traced.method.codes - 1, *codes.shape[1:])).astype(np.float32)
    targets = random.integers(0, 256, (batch, SMALL.resolution, SMALL.resolution, 3), dtype=np.uint8)
    inputs = graph_inputs(traced.method, targets, 0.01, traced.method.terms, {})
    return {**state_inputs(initial_state(traced.method, codes, drawn)), **inputs}


@pytest.mark.parametrize("name", GRAPHS.values())
def test_the_graph_takes_pytorchs_own_steps(traced: Callable[[str], Traced], name: str) -> None:
    method = traced(name)
    fed = feed(method)
    found = method.run({**fed, "steps": np.full((BATCH, 1), MAX_STEPS, np.int32)})
    state, losses = by_hand(method, fed)
    np.testing.assert_allclose(found["losses"], losses, rtol=2e-4, atol=1e-7)
    for tensor in method.method.state:
        scale = max(1e-6, np.abs(state[tensor]).max())
        # Adam's first steps divide by what may be rounding: one number of a hundred may go its own way.
        apart = np.abs(found[f"next.{tensor}"] - state[tensor]) / scale > 2e-3
        assert apart.mean() < 1e-2, tensor


def by_hand(traced: Traced, fed: Arrays) -> tuple[Arrays, NDArray[Any]]:
    """The steps in eager PyTorch."""
    tensors = {key: torch.from_numpy(value) for key, value in fed.items()}
    conditions = {key: tensors[key] for key in traced.objective.conditions}
    prepared = traced.objective.prepare(conditions)
    step = OptimizerStep(traced.objective, traced.bases, tuple(prepared))
    state = {key: tensors[f"state.{key}"] for key in (*step.state, *step.carried)}
    losses = []
    for iteration in range(MAX_STEPS):
        *following, loss = step(
            torch.tensor(iteration),
            torch.full((BATCH, 1), MAX_STEPS, dtype=torch.int32),
            tensors["learning_rate"],
            *(state[key] for key in (*step.state, *step.carried)),
            *(conditions[key] for key in step.conditions),
            *prepared.values(),
        )
        state |= dict(zip(step.state, following, strict=True))
        losses.append(loss.detach().numpy())
    return {key: value.detach().numpy() for key, value in state.items()}, np.stack(losses, axis=1)


@pytest.mark.parametrize("name", GRAPHS.values())
def test_a_sample_goes_its_own_way_whoever_shares_its_batch(
    traced: Callable[[str], Traced], name: str
) -> None:
    method = traced(name)
    fed = feed(method, batch=3)
    steps = np.array([[3], [1], [2]], np.int32)
    together = method.run({**fed, "steps": steps})
    for place in range(3):
        alone = method.run(
            {key: array[place : place + 1] for key, array in fed.items()}
            | {"steps": steps[place : place + 1]}
        )
        for key, value in alone.items():
            np.testing.assert_allclose(together[key][place], value[0], rtol=1e-4, atol=1e-5)
        assert np.isnan(together["losses"][place]).sum() == MAX_STEPS - steps[place, 0]


@pytest.mark.parametrize("name", GRAPHS.values())
def test_the_loss_falls_and_the_answer_is_the_best_code(
    traced: Callable[[str], Traced], name: str, networks: Networks
) -> None:
    method = traced(name)
    fed = feed(method)
    losses = []
    for _ in range(4):
        outputs = method.run({**fed, "steps": np.full((BATCH, 1), MAX_STEPS, np.int32)})
        losses.append(outputs["losses"])
        fed |= state_inputs(next_state(method.method, outputs))
    curve = np.concatenate(losses, axis=1)
    assert (curve[:, -1] < curve[:, 0]).all()
    shape = code_parts(networks, [name]).get(method.method.space)
    if shape is not None:
        answer = answer_of(method.method, shape, next_state(method.method, outputs))
        assert answer.parts.keys() == shape.parts.keys()
        if ORIGIN in answer.parts:
            np.testing.assert_array_equal(answer.parts[ORIGIN], answer.w)


def test_a_method_is_described_by_its_space_state_terms_and_encoder(networks: Networks) -> None:
    methods = {name: describe(name, networks, RATES, {"pixel": 2.0}) for name in METHODS}
    assert {name: method.space for name, method in methods.items() if method.space is not Space.W_PLUS} == {
        "optimize_w": Space.W,
        "multi_code": Space.MULTI,
        "layered": Space.LAYERED,
        "feature": Space.FEATURE,
    }
    assert methods["encoder"].graph is None
    assert methods["optimize"].graph == methods["hybrid"].graph
    assert methods["optimize"].terms["anchor"] == 0
    assert methods["hybrid"].terms["pixel"] == 2
    assert methods["force_in_domain"].encoder == "encode_forced"
    assert methods["in_domain"].terms.keys() - methods["hybrid"].terms.keys() == {"domain"}
    assert methods["restore"].terms.keys() - methods["hybrid"].terms.keys() == {"prior"}
    assert methods["layered"].terms.keys() - methods["hybrid"].terms.keys() == {"offset", "residuals"}
    assert methods["multi_code"].codes == 10
    assert methods["multi_code"].state["w"].initial is Initial.CODES
    assert methods["feature"].state["offset"].initial is Initial.ZEROS


def test_each_domain_is_that_of_its_own_encoder(networks: Networks) -> None:
    own, forced = networks.encoder, copy.deepcopy(networks.encoder)
    both = dataclasses.replace(networks, forced_encoder=forced)
    for name, encoder in (("in_domain", own), ("force_in_domain", forced)):
        objective = METHODS[name].objective(both, Precision.FLOAT32)
        assert isinstance(objective, InDomainObjective)
        assert objective.encoder is encoder


def test_what_a_pack_lacks_its_methods_do_without(networks: Networks) -> None:
    bare = Networks(networks.generator)
    assert available(bare, [*METHODS]) == (
        "hybrid",
        "optimize",
        "optimize_w",
        "multi_code",
        "layered",
        "feature",
        "restore",
    )
    assert "force_in_domain" in available(networks, [*METHODS])
    assert presets(available(bare, LIGHT))[Preset.FAST].method == "hybrid"
    assert presets(available(networks, [*METHODS]))[Preset.BEST].method == "feature"


@pytest.mark.parametrize("outside", [None, 1.7])
def test_the_coordinates_of_w_are_round_where_those_of_w_plus_are(
    networks: Networks, outside: float | None
) -> None:
    """The loss's own matrix on codes that are the same for every layer becomes the identity."""
    assert networks.coordinates is not None
    whole = torch.linalg.qr(networks.coordinates.basis)[0] * torch.linspace(0.1, 2, 40)
    held = Coordinates(whole, outside)
    (coordinates,) = single_code_bases(dataclasses.replace(networks, coordinates=held)).values()
    basis = coordinates.basis
    assert coordinates.outside is None
    matrix = whole.double() / (whole.double() ** 2).sum(0) ** 2 @ whole.double().t()
    if outside is not None:
        axes = held.axes.double()
        matrix += (torch.eye(len(axes)).double() - axes @ axes.t()) / outside**2
    repeat = torch.eye(SMALL.latent_width).repeat(SMALL.layers, 1).double()
    tied = basis.double().t() @ repeat.t() @ matrix @ repeat @ basis.double()
    torch.testing.assert_close(tied, torch.eye(len(tied)).double(), atol=1e-4, rtol=1e-4)


def test_codes_of_a_space_are_described_as_the_graph_takes_them(networks: Networks) -> None:
    shapes = code_parts(networks, [*METHODS], [Space.STYLE])
    assert shapes.keys() == set(Space) - {*WITHOUT_CODES, *PLAIN}
    code = CodePart("float32", (SMALL.layers, SMALL.latent_width))
    assert shapes[Space.FEATURE] == CodeParts(
        "synthesize_feature", {"w": code, "offset": CodePart("float16", (8, 16, 16)), "origin": code}
    )
    assert shapes[Space.LAYERED].parts["offset"].shape == (16, 8, 8)
    assert shapes[Space.MULTI].parts["weights"].shape == (10, 8)
