"""What seeds draw, and what lies on the way between two of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatent.core.noise import Floats, noise, spherical_path

WIDTH = 512
A, B = noise(1, WIDTH), noise(2, WIDTH)


def test_the_ends_are_what_the_seeds_draw_to_the_bit() -> None:
    path = spherical_path(A, B, [0, 1])
    np.testing.assert_array_equal(path, np.stack([A, B]))


@given(st.floats(0, 1), st.integers(0, 2**20), st.integers(0, 2**20))
def test_a_point_is_as_long_as_noise_and_shares_the_angle(amount: float, first: int, last: int) -> None:
    a, b = noise(first, WIDTH), noise(last, WIDTH)
    (point,) = spherical_path(a, b, [amount])
    ends = sorted(map(np.linalg.norm, (a, b)))
    assert 0.97 * ends[0] <= np.linalg.norm(point) <= 1.03 * ends[1]


def test_the_angle_is_gone_through_evenly_for_ends_of_one_length() -> None:
    b = B * np.linalg.norm(A) / np.linalg.norm(B)
    path = spherical_path(A, b, np.linspace(0, 1, 5).tolist()).astype(np.float64)
    units = path / np.linalg.norm(path, axis=1, keepdims=True)
    steps = np.arccos(np.sum(units[1:] * units[:-1], axis=1))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)


@pytest.mark.parametrize("last", [A, 2 * A, -A])
def test_ends_on_one_line_are_joined_straight(last: Floats) -> None:
    path = spherical_path(A, last, [0, 0.5, 1])
    np.testing.assert_allclose(path[1], (A.astype(np.float64) + last) / 2, atol=1e-6)
