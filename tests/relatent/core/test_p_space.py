"""Moves in P, and back to W."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from relatent.core.code_edits import CodeEdit, CodeOutOfRange
from relatent.core.codes import Codes
from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove
from relatent.core.p_space import from_p, to_p
from relatent.core.spaces import Space

RANDOM = np.random.default_rng(7)
L, D = 4, 16
CODES = (3 * RANDOM.normal(size=(50, L, D))).astype(np.float32)


def direction(last_layer: int = L - 1) -> Direction:
    vector = RANDOM.normal(size=D).astype(np.float32)
    tiled = np.tile(vector / np.linalg.norm(vector), (L, 1))
    return Direction("depth", tiled, 0.25, "", 0, last_layer, 0.0, -3.0, 3.0, (2.0,) * L, Space.P)


def leaky_relu(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values > 0, values, 0.2 * values)


def test_p_is_what_the_last_leaky_relu_was_given() -> None:
    before = RANDOM.normal(size=(100, D))
    np.testing.assert_allclose(to_p(leaky_relu(before).astype(np.float32)), before, rtol=1e-6)
    np.testing.assert_array_equal(to_p(np.array([2.0, 0.0, -2.0], np.float32)), [2, 0, -10])


def test_codes_come_back_from_p_to_the_last_bit() -> None:
    np.testing.assert_array_equal(from_p(to_p(CODES)), CODES)
    assert from_p(to_p(CODES)).dtype == np.float32


def test_a_relative_strength_goes_so_many_lengths_in_p() -> None:
    depth = direction()
    moved = DirectionMove(depth, (1.5,) * len(CODES)).apply(CODES)
    np.testing.assert_allclose(to_p(moved), to_p(CODES) + 1.5 * 2 * depth.vector, atol=1e-5)
    in_w = DirectionMove(replace(depth, space=Space.W), (1.5,) * len(CODES)).apply(CODES)
    assert np.abs(moved - in_w).max() > 0.1, "as far in W is somewhere else"


def test_an_absolute_strength_arrives_so_many_lengths_from_the_boundary_in_p() -> None:
    depth = direction()
    moved = DirectionMove(depth, (0.5,) * len(CODES), absolute=True).apply(CODES)
    np.testing.assert_allclose((to_p(moved) * depth.vector).sum(2) + depth.bias, 0.5 * 2, atol=1e-4)


def test_one_code_makes_a_strip_and_other_layers_stay_to_the_last_bit() -> None:
    moved = DirectionMove(direction(last_layer=1), (-1.0, 0.0, 2.0)).apply(CODES[:1])
    assert moved.shape == (3, L, D)
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(moved[:, 2:], np.repeat(CODES[:1, 2:], 3, axis=0))
    np.testing.assert_array_equal(moved[1], CODES[0])
    assert (moved[2, :2] != CODES[0, :2]).any()


def test_conditions_keep_what_they_tell_in_p() -> None:
    depth, kept = direction(), direction()
    moved = DirectionMove(depth, (2.0,) * len(CODES), conditions=(kept,)).apply(CODES)
    np.testing.assert_allclose(((to_p(moved) - to_p(CODES)) * kept.vector).sum(2), 0, atol=1e-4)
    np.testing.assert_allclose(((to_p(moved) - to_p(CODES)) * depth.vector).sum(2), 4, atol=1e-4)


def test_a_strength_that_leaves_float32_is_told() -> None:
    edit = CodeEdit((DirectionMove(direction(), (3e38,)),))
    with pytest.raises(CodeOutOfRange, match="operation 0"):
        edit.apply(Codes.plain(CODES[:1]))
