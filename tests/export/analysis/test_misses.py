"""What a generator misses, of numbers whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from relatent_export.analysis.misses import ComparedAttribute, Misses, find_misses

Doubles = NDArray[np.float64]

IMAGES, SAMPLES = 120, 240


def world(seed: int, count: int) -> Doubles:
    """Numbers of every kind that images have: even, normal, of two kinds, in few images, with a long tail."""
    random = np.random.default_rng(seed)
    shown = random.random((3, count))
    columns = (
        random.uniform(-1, 1, count),
        random.normal(50, 10, count),
        np.where(shown[0] < 0.5, -1, 1) + 0.1 * random.normal(size=count),
        np.where(shown[1] < 0.05, random.uniform(2, 4, count), 0),
        random.lognormal(size=count),
        (shown[2] < 0.3).astype(float),
    )
    return np.stack(columns, axis=1)


NAMES = ("even", "normal", "either", "rare", "tailed", "has")


def one(real: Doubles, generated: Doubles) -> ComparedAttribute:
    (found,) = find_misses(["it"], real[:, None], generated[:, None]).attributes
    return found


def even(low: float, high: float, count: int = 400) -> Doubles:
    return low + (high - low) * (np.random.default_rng(count).permutation(count) + 0.5) / count


def test_a_generator_that_misses_nothing_is_said_to_miss_nothing() -> None:
    found = [
        find_misses(NAMES, world(seed, IMAGES), world(1_000 + seed, SAMPLES), seed) for seed in range(20)
    ]
    assert [each.missed for each in found] == [()] * len(found)
    significant = sum(any(one.significant for one in each.attributes) for each in found)
    assert significant <= 2  # ten times what is promised of twenty


@pytest.mark.parametrize("column", [2, 3, 5])
def test_what_is_left_out_is_missed_and_nothing_else(column: int) -> None:
    """One of two kinds; what one image in twenty has, though most have their like; a yes beside a no."""
    generated = world(7, 4_000)
    generated = generated[generated[:, column] <= 0]
    found = find_misses(NAMES, world(8, 400), generated)
    assert found.missed == (NAMES[column],)
    missed = found.ordered[0]
    assert missed.left_out >= 0.5
    assert all(low > missed.generated.high for low, _ in missed.gaps)
    assert missed.gaps[-1][1] == pytest.approx(missed.real.high)


@pytest.mark.parametrize(("high", "left_out", "missed"), [(0.3, 0.7, True), (0.6, 0.4, False), (1, 0, False)])
def test_the_share_of_the_range_is_the_truth_and_less_than_half_is_not_missed(
    high: float, left_out: float, missed: bool
) -> None:
    found = one(even(0, 1), even(0, high, 1_000))
    assert found.left_out == pytest.approx(left_out, abs=0.051)
    assert found.images == pytest.approx(left_out, abs=0.06)
    assert found.missed is missed
    assert found.significant is (high < 1)
    if left_out:
        ((low, top),) = found.gaps
        assert low == pytest.approx(high, abs=0.051)
        assert top == found.real.high
    else:
        assert found.gaps == ()


def test_what_is_merely_shifted_or_narrower_is_significant_and_not_missed() -> None:
    random = np.random.default_rng(0)
    for generated in (random.normal(0.5, 1, 2_000), random.normal(0, 0.6, 2_000)):
        found = one(random.normal(0, 1, 500), generated)
        assert found.significant
        assert not found.missed
        assert found.distance > 10 * found.chance


def test_what_is_large_by_chance_is_not_missed() -> None:
    """Of two sets of sixteen hardly any number of one is near one of the other."""
    random = np.random.default_rng(0)
    found = one(random.uniform(size=16), random.uniform(size=16))
    assert found.left_out >= 0.5
    assert found.left_out_error > 0.05
    assert not found.significant
    assert not found.missed


def test_distances_are_in_deviations_of_the_real_images_whatever_the_unit() -> None:
    random = np.random.default_rng(0)
    real, shift = random.normal(size=(2_000, 2)), np.array([2, 1])
    found = find_misses(["a", "b"], real * [1, 1e4], (real + shift) * [1, 1e4])
    deviations = real.std(0)
    expected = [4 / deviations[0] ** 2, 1 / deviations[1] ** 2]
    assert [each.distance for each in found.attributes] == pytest.approx(expected)
    assert found.distance == pytest.approx(sum(expected), rel=0.01)
    assert 0 < found.chance < 0.05
    assert isinstance(found, Misses)


def test_what_all_real_images_have_alike_is_not_missed() -> None:
    found = one(np.full(50, 3.0), np.random.default_rng(0).normal(size=100))
    assert (found.distance, found.left_out, found.significant, found.gaps) == (0, 0, False, ())


def test_the_same_seed_finds_the_same() -> None:
    real, generated = world(1, IMAGES), world(2, SAMPLES)
    assert find_misses(NAMES, real, generated, 5) == find_misses(NAMES, real, generated, 5)


def test_too_few_images_and_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="real: expected 16 images or more, got 15"):
        find_misses(NAMES, world(0, 15), world(1, 16))
    broken = world(1, 16)
    broken[3, 2] = np.nan
    with pytest.raises(ValueError, match="generated: either: expected finite numbers of all images"):
        find_misses(NAMES, world(0, 16), broken)
