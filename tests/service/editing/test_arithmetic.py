import numpy as np
import pytest

from relatent_service.editing.arithmetic import interpolate, mix, move, move_to, orthogonalise, truncate

RANDOM = np.random.default_rng(0)
L, D = 3, 16


def unit(rows=L):
    vectors = RANDOM.normal(size=(rows, D)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


W = RANDOM.normal(size=(1, L, D)).astype(np.float32)
ALL = slice(0, L)
ONES = np.ones(L, np.float32)


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_a_direction_becomes_orthogonal_to_any_number_of_others_that_are_not_to_each_other(count):
    direction, others = unit(), [unit() for _ in range(count)]
    rest = orthogonalise(direction, others)
    for other in others:
        np.testing.assert_allclose((rest * other).sum(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rest, axis=1), 1, rtol=1e-5)


def test_what_is_left_is_the_nearest_such_direction():
    direction, others = unit(), [unit(), unit()]
    rest = orthogonalise(direction, others)
    for row in range(L):
        basis = np.stack([other[row] for other in others], axis=1)
        projection = basis @ np.linalg.pinv(basis)
        residual = direction[row] - projection @ direction[row]
        np.testing.assert_allclose(rest[row], residual / np.linalg.norm(residual), atol=1e-5)


def test_one_after_the_other_would_not_do():
    # Gram-Schmidt against conditions that are not orthogonal to each other leaves something of the first.
    direction, first, second = unit(), unit(), unit()
    second = (second + first) / np.linalg.norm(second + first, axis=1, keepdims=True)
    rest = orthogonalise(direction, [first, second])
    naive = direction - (direction * first).sum(1, keepdims=True) * first
    naive -= (naive * second).sum(1, keepdims=True) * second
    assert np.abs((naive * first).sum(axis=1)).max() > 1e-3
    np.testing.assert_allclose((rest * first).sum(axis=1), 0, atol=1e-5)


def test_conditions_given_twice_count_once():
    direction, other = unit(), unit()
    np.testing.assert_allclose(
        orthogonalise(direction, [other, other]), orthogonalise(direction, [other]), atol=1e-5
    )


def test_rows_with_nothing_left_are_zero():
    direction, first, second = unit(), unit(), unit()
    mixed = 0.3 * first - 0.8 * second
    direction[1] = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True))[1]
    rest = orthogonalise(direction, [first, second])
    assert not rest[1].any()
    assert rest[0].any()


def test_rows_where_the_conditions_are_zero_stay():
    direction, other = unit(), unit()
    other[0] = 0
    np.testing.assert_allclose(orthogonalise(direction, [other])[0], direction[0], atol=1e-6)


def test_moving_back_undoes_a_move():
    direction = unit()
    there = move(W, direction, np.array([1.5], np.float32), ALL)
    back = move(there, direction, np.array([-1.5], np.float32), ALL)
    np.testing.assert_allclose(back, W, atol=1e-6)


def test_a_move_leaves_other_rows_and_its_input_alone():
    before = W.copy()
    moved = move(W, unit(), np.array([1, 2], np.float32), slice(1, 2))
    np.testing.assert_array_equal(moved[:, [0, 2]], np.repeat(W[:, [0, 2]], 2, axis=0))
    np.testing.assert_array_equal(W, before)


def test_an_absolute_move_arrives_in_every_row():
    normal, others = unit(), [unit()]
    direction = orthogonalise(normal, others)
    strengths = np.array([-2, 0, 1], np.float32)
    moved = move_to(W, direction, normal, 0.4, ONES, strengths, ALL)
    distances = np.einsum("nld,ld->nl", moved, normal) + 0.4
    np.testing.assert_allclose(distances, np.tile(strengths[:, None], (1, L)), atol=1e-5)
    np.testing.assert_allclose(np.einsum("nld,ld->nl", moved - W, others[0]), 0, atol=1e-5)


def test_an_absolute_move_leaves_rows_alone_that_the_direction_does_not_have():
    normal = unit()
    normal[2] = 0
    moved = move_to(W, normal, normal, 0.0, ONES, np.array([3], np.float32), ALL)
    np.testing.assert_array_equal(moved[0, 2], W[0, 2])
    assert np.isfinite(moved).all()


def test_mixing_takes_the_rows_of_the_other():
    other = unit()
    mixed = mix(W, other, slice(0, 2))
    np.testing.assert_array_equal(mixed[0, :2], other[:2])
    np.testing.assert_array_equal(mixed[0, 2], W[0, 2])


def test_interpolation_stays_at_0_and_arrives_at_1():
    other = unit()
    path = interpolate(W, other, np.array([0, 1, 2], np.float32))
    np.testing.assert_allclose(path[0], W[0], atol=1e-6)
    np.testing.assert_allclose(path[1], other, atol=1e-6)
    np.testing.assert_allclose(path[2], 2 * other - W[0], atol=1e-5)


def test_truncation_pulls_towards_the_mean():
    mean = unit()
    np.testing.assert_allclose(truncate(W, mean, 1.0), W, atol=1e-6)
    np.testing.assert_allclose(truncate(W, mean, 0.0)[0], mean, atol=1e-6)
    np.testing.assert_allclose(truncate(W, mean, 0.5)[0], (W[0] + mean) / 2, atol=1e-6)


def test_everything_stays_float32():
    other, numbers = unit(), np.array([1.0], np.float32)
    for edited in (
        orthogonalise(other, [unit()]),
        move(W, other, numbers, ALL),
        move_to(W, other, other, 0.1, ONES, numbers, ALL),
        mix(W, other, ALL),
        interpolate(W, other, numbers),
        truncate(W, other, 0.3),
    ):
        assert edited.dtype == np.float32
