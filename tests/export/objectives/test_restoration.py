"""Restoration compares what A leaves of the generator's image; without A it is reconstruction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from relatent.core.degradation import GREY, Degradation
from relatent.core.refinement import graph_inputs, initial_state, state_inputs
from relatent_export.compile.precision import Precision
from relatent_export.nets import code_prior
from relatent_export.nets.code_prior import CodePrior
from relatent_export.nets.networks import Networks
from relatent_export.nets.perceptual import perceptual_distance
from relatent_export.objectives.methods import describe
from relatent_export.objectives.reconstruction import Reconstruction, reconstruction_objective
from relatent_export.objectives.restoration import PRIOR, RestorationObjective, restoration_objective
from tests.export.objectives.conftest import MAX_STEPS, RATES, Arrays, Traced
from tests.fixtures.small import SMALL

R = SMALL.resolution
WEIGHTS = {"pixel": 1.5, "perceptual": 0.25, "anchor": 0.125, PRIOR: 0.0625}


def left_known() -> NDArray[np.bool_]:
    known = np.zeros((R, R), np.bool_)
    known[:, :20] = True
    return known


DEGRADATIONS = [
    Degradation(R, R, R),
    Degradation(R, R, R, colour=GREY),
    Degradation(R, 8, 16, 1.0),
    Degradation(R, R, R, known=left_known()),
    Degradation(R, 5, 11, 0.7, np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]])),
]


@pytest.fixture(scope="module")
def objective(networks: Networks) -> RestorationObjective:
    return restoration_objective(networks)


def drawn(count: int, seed: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor], NDArray[np.uint8]]:
    """Codes, anchors and whole images."""
    random = np.random.default_rng(seed)
    w, anchor = random.normal(size=(2, count, SMALL.layers, SMALL.latent_width)).astype(np.float32)
    images = random.integers(0, 256, (count, R, R, 3), np.uint8)
    return {"w": torch.from_numpy(w)}, {"anchor": torch.from_numpy(anchor)}, images


def conditions(objective: Reconstruction, inputs: Arrays) -> dict[str, Tensor]:
    """An objective's conditions: what is given, else their defaults, and the weights of the tests."""
    count = len(inputs["target"])
    filled = {
        name: torch.full((count, *each.shape), each.default, dtype=each.dtype)
        for name, each in objective.conditions.items()
    }
    weights = {
        f"weight.{name}": torch.full((count, 1), WEIGHTS[name])
        for name in WEIGHTS
        if name in objective.weights
    }
    return {**filled, **weights, **{name: torch.from_numpy(value) for name, value in inputs.items()}}


def loss(
    objective: Reconstruction, codes: dict[str, Tensor], anchors: dict[str, Tensor], inputs: Arrays
) -> Tensor:
    given = conditions(objective, inputs)
    with torch.no_grad():
        return objective.losses(codes, anchors, given, objective.prepare(given))


def given_of(degradations: list[Degradation], images: NDArray[np.uint8], size: int) -> Arrays:
    """The graph's inputs for images of which that was done to each."""
    each = []
    for degradation, image in zip(degradations, images, strict=True):
        given = np.asarray((degradation.of(image) * 255).round(), np.uint8)
        each.append({"target": degradation.spread(given), **degradation.graph_inputs(size)})
    return {name: np.stack([inputs[name] for inputs in each]) for name in each[0]}


def test_where_nothing_was_done_it_is_reconstruction_and_the_prior(
    networks: Networks, objective: RestorationObjective
) -> None:
    codes, anchors, images = drawn(3)
    plain = loss(reconstruction_objective(networks), codes, anchors, {"target": images})
    with torch.no_grad():
        prior = WEIGHTS[PRIOR] * objective.prior(codes["w"]).square().mean((1, 2))
    nothing = given_of([Degradation(R, R, R)] * 3, images, R)
    for inputs in ({"target": images}, nothing):  # the inputs' defaults do nothing, too
        torch.testing.assert_close(loss(objective, codes, anchors, inputs), plain + prior)


@pytest.mark.parametrize("degradation", DEGRADATIONS)
def test_the_loss_is_that_of_the_degraded_image(
    networks: Networks, objective: RestorationObjective, degradation: Degradation
) -> None:
    """Each axis by plain indices: the generator's image degraded and spread as the given one was."""
    codes, anchors, images = drawn(2, seed=1)
    inputs = given_of([degradation] * 2, images, R)
    with torch.no_grad():
        made = networks.generator.synthesis(codes["w"])
        left = [seen(degradation, image) for image in made / 2 + 0.5]
        target = torch.from_numpy(inputs["target"]).permute(0, 3, 1, 2) / 255
        mask = torch.from_numpy(inputs["mask"])[:, None] / 255
        pixel = (((torch.stack(left) - target) ** 2 * mask) / mask.mean()).mean((1, 2, 3))
        perceptual = far_apart(networks, torch.stack(left), target, mask)
        anchor = (codes["w"] - anchors["anchor"]).square().mean((1, 2))
        prior = objective.prior(codes["w"]).square().mean((1, 2))
    terms = {"pixel": pixel, "perceptual": perceptual, "anchor": anchor, PRIOR: prior}
    by_hand = sum(WEIGHTS[name] * value for name, value in terms.items())
    torch.testing.assert_close(loss(objective, codes, anchors, inputs), by_hand, rtol=1e-3, atol=1e-5)


def seen(degradation: Degradation, image: Tensor) -> Tensor:
    """A of an image [3, R, R] in [0, 1] and beyond, spread to its size again."""
    if degradation.colour is not None:
        matrix = torch.from_numpy(degradation.colour).float()
        image = torch.stack([(row[:, None, None] * image).sum(0) for row in matrix])
    axes = [
        np.eye(R) if axis.matrix is None else axis.matrix for axis in (degradation.rows, degradation.columns)
    ]
    rows, columns = (torch.from_numpy(each).float() for each in axes)
    small = (rows @ image @ columns.T)[None]
    if degradation.known is not None:
        return torch.nn.functional.interpolate(small, size=(R, R), mode="nearest")[0]
    return torch.nn.functional.interpolate(small, size=(R, R), mode="bilinear", align_corners=False)[0]


def far_apart(networks: Networks, image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    network = networks.attributes
    assert network is not None
    maps, others = (network.compared(2 * each - 1) for each in (image, target))
    masks = [torch.nn.functional.adaptive_avg_pool2d(mask, each.shape[-1]) for each in maps]
    masks = [each / each.mean((1, 2, 3), keepdim=True) for each in masks]
    return perceptual_distance(maps, others, masks, network.divisor)


def test_images_are_compared_at_a_smaller_size_where_the_pack_says_so(networks: Networks) -> None:
    half = replace(networks, compare_size=R // 2)
    objective = restoration_objective(half)
    assert objective.conditions["rows"].shape == objective.conditions["columns"].shape == (R // 2, R // 2)
    assert objective.conditions["mask"].shape == (R, R)
    codes, anchors, images = drawn(1)
    degradation = Degradation(R, 8, 8)
    inputs = given_of([degradation], images, R // 2)
    with torch.no_grad():
        made = networks.generator.synthesis(codes["w"])[0] / 2 + 0.5
        left = torch.nn.functional.avg_pool2d(seen(degradation, made)[None], 2)
        target = torch.from_numpy(inputs["target"]).permute(0, 3, 1, 2) / 255
        pixel = (left - torch.nn.functional.avg_pool2d(target, 2)).square().mean((1, 2, 3))
    only = {f"weight.{name}": np.full((1, 1), name == "pixel", np.float32) for name in objective.weights}
    torch.testing.assert_close(loss(objective, codes, anchors, {**inputs, **only}), pixel)


def test_what_was_done_is_a_further_input_that_is_nothing_unless_given(networks: Networks) -> None:
    method = describe("restore", networks, RATES, {})
    assert method.restores
    shapes = {name: (each.shape, each.default) for name, each in method.inputs.items()}
    along = ((R, R), 0)
    assert shapes == {"mask": ((R, R), 255), "colour": ((3, 3), 0), "rows": along, "columns": along}
    assert PRIOR in method.terms
    assert not describe("hybrid", networks, RATES, {}).restores


def test_mates_of_a_batch_are_degraded_each_in_its_own_way(traced: Callable[[str], Traced]) -> None:
    restore, count = traced("restore"), len(DEGRADATIONS)
    _, _, images = drawn(count, seed=3)
    codes = np.random.default_rng(3).normal(size=(count, SMALL.layers, SMALL.latent_width)).astype(np.float32)
    given = given_of(DEGRADATIONS, images, R)
    targets = given.pop("target")
    inputs = graph_inputs(restore.method, targets, 0.01, restore.method.terms, given)
    steps = np.full((count, 1), MAX_STEPS, np.int32)
    fed: dict[str, Any] = {**state_inputs(initial_state(restore.method, codes)), **inputs, "steps": steps}
    together = restore.run(fed)
    for place in range(count):
        alone = restore.run({name: value[place : place + 1] for name, value in fed.items()})
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][place], value[0], rtol=1e-4, atol=1e-5)
    # The graph does with each what PyTorch does.
    tensors = {name: torch.from_numpy(value) for name, value in fed.items()}
    objective = restore.objective
    held = {name: tensors[name] for name in objective.conditions}
    with torch.no_grad():
        anchors = {name: tensors[f"state.{name}"] for name in objective.carried}
        first = objective.losses({"w": torch.from_numpy(codes)}, anchors, held, objective.prepare(held))
    np.testing.assert_allclose(together["losses"][:, 0], first, rtol=1e-4)


def test_the_generators_own_codes_are_independent_and_of_deviation_1_for_the_prior(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the directions that they hardly take, in which nothing is blown up."""
    z = torch.randn(20_000, SMALL.z_width, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        codes = networks.generator.codes(z, 1.0)
        monkeypatch.setattr(code_prior, "_RIDGE", 0.0)
        exact = CodePrior(networks.generator)(codes)
        monkeypatch.undo()
        units = CodePrior(networks.generator)(codes)
    assert exact.shape == units.shape == (20_000, SMALL.layers, SMALL.latent_width)
    torch.testing.assert_close(exact[:, 0].mean(0), torch.zeros(SMALL.latent_width), atol=0.05, rtol=0)
    torch.testing.assert_close(torch.cov(exact[:, 0].T), torch.eye(SMALL.latent_width), atol=0.06, rtol=0)
    values = torch.linalg.eigvalsh(torch.cov(units[:, 0].T))
    assert (values > 0).all()
    assert (values < 1.05).all()
    assert values.max() > 0.9


def test_the_prior_is_computed_in_float32_whatever_the_network_is(networks: Networks) -> None:
    half = RestorationObjective(networks, Precision.FLOAT16)
    assert {each.dtype for each in half.prior.buffers()} == {torch.float32}
