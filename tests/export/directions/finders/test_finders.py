"""Finders against plain formulations of the papers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from relatent.core.edits import DirectionMove
from relatent.core.spaces import Space
from relatent_export.directions.discovery import BATCH as PAIRS
from relatent_export.directions.discovery import discover
from relatent_export.directions.finders.boundary import FEWEST, find_boundaries, separate
from relatent_export.directions.finders.closed_form import find_closed_form
from relatent_export.directions.finders.discover import find_told_apart
from relatent_export.directions.finders.finder import FinderInput
from relatent_export.directions.finders.orthogonal_jacobian import find_locally
from relatent_export.directions.finders.pca import find_components
from relatent_export.directions.finders.walk import find_walks
from relatent_export.directions.labels import Labelled
from relatent_export.directions.points import draw_points
from relatent_export.directions.transforms import TRANSFORMS
from relatent_export.directions.walks import BATCH as WALK_BATCH
from relatent_export.directions.walks import WalkKind, train_walk
from relatent_export.nets.networks import Networks
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config
from relatent_export.nets.stylegan2 import Generator
from tests.fixtures.small import SMALL


def given(networks: Networks, **changes: Any) -> FinderInput:
    plain = FinderInput(networks, Space.W, range(SMALL.layers), count=3, seed=4, samples=500)
    return replace(plain, **changes)


def cosine(one: Any, other: Any) -> float:
    return float(np.sum(one * other) / np.linalg.norm(one) / np.linalg.norm(other))


def test_a_boundary_is_the_one_that_a_linear_svm_draws_between_the_clearest() -> None:
    random = np.random.default_rng(1)
    points = random.normal(size=(2_000, 6)) * 3 + 1
    planted = random.normal(size=6)
    values = points @ planted + random.normal(size=2_000)
    found = separate(points, values, "smile", seed=0)
    assert np.linalg.norm(found.normal) == pytest.approx(1)
    assert cosine(found.normal, planted) > 0.99
    order = np.argsort(values)
    chosen = np.concatenate([order[:200], order[-200:]])
    labels = np.repeat([0, 1], 200)
    plain = SVC(kernel="linear").fit(points[chosen], labels)
    assert cosine(found.normal, plain.coef_[0]) > 0.97
    sides = points[chosen] @ found.normal + found.bias > 0
    assert (sides == (labels > 0)).mean() > 0.98


@pytest.mark.parametrize(
    ("count", "value", "why"),
    [
        (2 * FEWEST - 1, None, "smile: expected labels of 16 samples or more, got 15"),
        (100, 1.0, "smile: expected labels that tell 8 samples or more with the most .* the least, got 0"),
    ],
)
def test_labels_that_tell_nothing_apart_are_refused(count: int, value: float | None, why: str) -> None:
    points = np.random.default_rng(2).normal(size=(count, 3))
    with pytest.raises(ValueError, match=why):
        separate(points, np.full(count, value) if value else points[:, 0], "smile", seed=0)


def test_of_a_rare_yes_as_many_samples_are_kept_on_either_side_as_say_it() -> None:
    points = np.random.default_rng(5).normal(size=(200, 4))
    rare = (points[:, 0] > np.sort(points[:, 0])[-13]).astype(np.float32)
    found = separate(points, rare, "glasses", seed=0)
    order = np.argsort(rare, kind="stable")
    chosen = np.concatenate([order[:12], order[-12:]])
    again = SVC(kernel="linear").fit(points[chosen], np.repeat([0, 1], 12))
    assert rare.sum() == 12
    assert cosine(found.normal, again.coef_[0]) > 0.9
    few = np.where(np.arange(200) < 5, 1.0, 0.0)
    with pytest.raises(ValueError, match=r"glasses: expected labels that tell 8 samples .*, got 5"):
        separate(points, few, "glasses", seed=0)


@pytest.mark.parametrize("space", [Space.Z, Space.W, Space.W_PLUS])
def test_a_boundary_is_found_in_each_space(small: Networks, space: Space) -> None:
    points = draw_points(small.generator, space, 400, seed=3)
    values = points[:, -1, :1] - points[:, 0, 1:2]
    labelled = Labelled(points, ("bright",), values)
    (found,) = find_boundaries(given(small, space=space, labelled=labelled))
    assert (found.name, found.attribute, found.space) == ("bright_boundary", "bright", space)
    rows = 1 if space is Space.Z else SMALL.layers
    assert found.vector.shape == (rows, points.shape[2])
    np.testing.assert_allclose(np.linalg.norm(found.vector, axis=1), 1, rtol=1e-5)
    if space is Space.W_PLUS:
        # Styles were mixed, so that the layers that count are told apart.
        first, last = found.vector[0] * found.lengths[0], found.vector[-1] * found.lengths[-1]
        assert abs(first[1]) > 3 * abs(first[0])
        assert abs(last[0]) > 3 * abs(last[1])
        assert found.bias == 0
    else:
        assert cosine(found.vector[0][:2], np.array([1.0, -1.0])) > 0.9


def test_samples_without_a_label_are_left_out(small: Networks) -> None:
    points = draw_points(small.generator, Space.W, 300, seed=3)
    values = np.stack([points[:, 0, 0], points[:, 0, 1]], 1)
    values[:100, 0] = np.nan
    found = find_boundaries(given(small, labelled=Labelled(points, ("one", "two"), values)))
    alone = find_boundaries(given(small, labelled=Labelled(points[100:], ("one",), values[100:, :1])))
    np.testing.assert_array_equal(found[0].vector, alone[0].vector)


def test_components_are_those_of_a_singular_value_decomposition(small: Networks) -> None:
    found = find_components(given(small))
    z = torch.randn(500, SMALL.z_width, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        w = small.generator.mapping(z).double().numpy()
    _, spread, vectors = np.linalg.svd(w - w.mean(0), full_matrices=False)
    assert [direction.name for direction in found] == ["pca_0", "pca_1", "pca_2"]
    for index, direction in enumerate(found):
        assert abs(cosine(direction.vector[0], vectors[index])) == pytest.approx(1, abs=1e-5)
        assert direction.lengths[0] == pytest.approx(spread[index] / np.sqrt(500), rel=1e-4)
        assert np.abs(direction.vector[0]).max() == direction.vector[0].max()
        # The e4e family's edit arrives at a coordinate: (s - <w - mean, c> / deviation) * c * deviation.
        codes = np.repeat(w[:2, None], SMALL.layers, axis=1).astype(np.float32)
        moved = DirectionMove(direction, (1.5, 1.5), absolute=True).apply(codes)
        np.testing.assert_allclose(
            (moved - w.mean(0)) @ direction.vector[0], 1.5 * direction.lengths[0], atol=1e-5
        )


def test_components_of_p_are_those_of_what_the_last_leaky_relu_is_given(small: Networks) -> None:
    found = find_components(given(small, space=Space.P))
    z = torch.randn(500, SMALL.z_width, generator=torch.Generator().manual_seed(4))
    before = []
    last = small.generator.mapping.get_submodule("layers.1")
    hook = last.register_forward_hook(lambda layer, inputs, output: before.append(output))
    with torch.no_grad():
        small.generator.mapping(z)
    hook.remove()
    points = (before[0] * np.sqrt(2)).double().numpy()
    _, spread, vectors = np.linalg.svd(points - points.mean(0), full_matrices=False)
    for index, direction in enumerate(found):
        assert (direction.space, direction.vector.shape) == (Space.P, (SMALL.layers, SMALL.latent_width))
        assert abs(cosine(direction.vector[0], vectors[index])) == pytest.approx(1, abs=1e-5)
        assert direction.lengths[0] == pytest.approx(spread[index] / np.sqrt(500), rel=1e-4)


@pytest.mark.parametrize("layers", [range(3), range(2, SMALL.layers)])
def test_closed_form_directions_are_sefas(small: Networks, layers: range) -> None:
    assert isinstance(small.generator, Generator)
    synthesis = small.generator.synthesis
    weights = []
    for layer in layers:  # as genforce/sefa concatenates and normalises them
        module = synthesis.to_rgbs[-1] if layer == SMALL.layers - 1 else synthesis.layers[layer]
        weights.append(module.get_parameter("conv.style.weight").detach().numpy().T)
    weight = np.concatenate(weights, axis=1)
    weight = weight / np.linalg.norm(weight, axis=0, keepdims=True)
    values, vectors = np.linalg.eig(weight.dot(weight.T))
    order = np.argsort(-values.real)
    found = find_closed_form(given(small, layers=layers))
    for index, direction in enumerate(found):
        assert abs(cosine(direction.vector[0], vectors[:, order[index]].real)) == pytest.approx(1, abs=1e-4)
        assert (direction.first_layer, direction.last_layer) == (layers.start, layers.stop - 1)


def test_stylegan_1_has_closed_form_directions_too() -> None:
    torch.manual_seed(1)
    config = StyleGAN1Config(
        resolution=16, latent_width=8, z_width=8, mapping_layers=2, mapping_width=8, channels=(8, 6, 6)
    )
    generator = StyleGAN1(config)
    networks = Networks(generator)
    found = find_closed_form(given(networks, layers=range(generator.config.layers)))
    assert [direction.vector.shape for direction in found] == [(generator.config.layers, 8)] * 3


@pytest.mark.parametrize("find", [find_components, find_closed_form])
def test_no_more_directions_are_found_than_codes_are_wide(small: Networks, find: Any) -> None:
    with pytest.raises(ValueError, match="--count: expected at most the 8 numbers of a code, got 9"):
        find(given(small, count=9))


def test_components_want_more_samples_than_codes_are_wide(small: Networks) -> None:
    with pytest.raises(ValueError, match="--samples: expected more than the 8 numbers of a code, got 8"):
        find_components(given(small, samples=8))


def test_local_directions_are_the_right_singular_vectors_of_finite_differences(small: Networks) -> None:
    code = small.generator.codes(torch.randn(1, 8, generator=torch.Generator().manual_seed(2)), 1.0)[0]
    found = find_locally(given(small, code=code.numpy(), layers=range(2, 6)))
    columns = []
    with torch.no_grad():
        for place in range(8):
            moved = torch.zeros(2, *code.shape)
            moved[0, 2:6, place], moved[1, 2:6, place] = 0.01, -0.01
            up, down = small.generator.synthesis(code + moved)
            columns.append(((up - down) / 0.02).flatten().numpy())
    _, _, vectors = np.linalg.svd(np.stack(columns, 1), full_matrices=False)
    for index, direction in enumerate(found):
        assert direction.name == f"local_{index}"
        assert abs(cosine(direction.vector[0], vectors[index])) > 0.99


def test_local_directions_want_an_image(small: Networks) -> None:
    with pytest.raises(ValueError, match="--image: expected the image"):
        find_locally(given(small))


def test_walks_are_named_and_reach_as_far_as_they_were_trained(small: Networks) -> None:
    found = find_walks(given(small, samples=2 * WALK_BATCH, layers=range(2, 5)))
    names = ("zoom", "shift_x", "shift_y", "rotate", "brightness", "red", "green", "blue")
    assert [direction.name for direction in found] == [f"walk_{name}" for name in names]
    for direction, transform in zip(found, TRANSFORMS.values(), strict=True):
        assert (direction.first_layer, direction.last_layer, direction.space) == (2, 4, Space.W)
        assert (direction.min_strength, direction.max_strength) == (-transform.reach, transform.reach)
        np.testing.assert_allclose(np.linalg.norm(direction.vector, axis=1), 1, rtol=1e-5)
        # A unit of strength is a unit of the transformation, as the walk itself has it.
        walk = train_walk(small, transform, WalkKind.LINEAR, range(2, 5), 2 * WALK_BATCH, 4)
        codes = draw_points(small.generator, Space.W, 3, seed=1)
        moved = DirectionMove(direction, (-0.5, 0.25, 1.0)).apply(codes)
        walked = walk(torch.from_numpy(codes), torch.tensor([[-0.5], [0.25], [1.0]]))
        np.testing.assert_allclose(moved, walked.numpy(), rtol=1e-4, atol=1e-5)


def test_discovered_directions_are_of_w_by_deviations_of_codes(small: Networks) -> None:
    found = find_told_apart(given(small, samples=2 * PAIRS))
    expected = discover(small, range(SMALL.layers), 3, 2 * PAIRS, 4)
    for index, direction in enumerate(found):
        assert (direction.name, direction.space) == (f"discovered_{index}", Space.W)
        np.testing.assert_array_equal(direction.vector[0], expected.vectors[index].numpy())
        assert direction.lengths[0] == pytest.approx(expected.deviation)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"count": 1}, "--count: expected 2 to the 8 numbers of a code, got 1"),
        ({"count": 9}, "--count: expected 2 to the 8 numbers of a code, got 9"),
        ({"samples": PAIRS - 1}, "--samples: expected 16 or more, got 15"),
    ],
)
def test_what_nothing_can_be_told_apart_from_is_refused(
    small: Networks, changes: dict[str, int], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        find_told_apart(given(small, **changes))
