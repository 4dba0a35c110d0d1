import numpy as np
import pytest

from relatent.core.code_edits import CodeEdit, CodeOutOfRange, Interpolation
from relatent.core.codes import Codes
from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove, StyleMix, Truncation, orthogonalise

RANDOM = np.random.default_rng(0)
L, D = 3, 16


def unit(rows=L):
    vectors = RANDOM.normal(size=(rows, D)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


W = RANDOM.normal(size=(1, L, D)).astype(np.float32)


def plain(code):
    return Codes.plain(code[None])


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


def test_layers_with_nothing_left_are_zero():
    direction, first, second = unit(), unit(), unit()
    mixed = 0.3 * first - 0.8 * second
    direction[1] = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True))[1]
    rest = orthogonalise(direction, [first, second])
    assert not rest[1].any()
    assert rest[0].any()


def test_layers_where_the_conditions_are_zero_stay():
    direction, other = unit(), unit()
    other[0] = 0
    np.testing.assert_allclose(orthogonalise(direction, [other])[0], direction[0], atol=1e-6)


def direction(vector, bias=0.0, lengths=()):
    return Direction("smile", vector, bias, "", 0, L - 1, 0.0, -3.0, 3.0, lengths)


def test_moving_back_undoes_a_move():
    along = direction(unit())
    there = DirectionMove(along, (1.5,)).apply(W)
    back = DirectionMove(along, (-1.5,)).apply(there)
    np.testing.assert_allclose(back, W, atol=1e-6)


def test_a_move_goes_so_many_lengths_in_each_layer():
    along = direction(unit(), lengths=(0.5, 1.0, 2.0))
    (moved,) = DirectionMove(along, (3.0,)).apply(W)
    np.testing.assert_allclose(np.linalg.norm(moved - W[0], axis=1), [1.5, 3, 6], rtol=1e-5)


def test_a_move_leaves_other_layers_and_its_input_alone():
    before = W.copy()
    moved = DirectionMove(direction(unit()), (1.0, 2.0), layers=(1, 1)).apply(W)
    np.testing.assert_array_equal(moved[:, [0, 2]], np.repeat(W[:, [0, 2]], 2, axis=0))
    np.testing.assert_array_equal(W, before)


def test_an_absolute_move_arrives_in_every_layer():
    condition = direction(unit())
    along, strengths = direction(unit(), bias=0.4), (-2.0, 0.0, 1.0)
    moved = DirectionMove(along, strengths, absolute=True, conditions=(condition,)).apply(W)
    distances = np.einsum("nld,ld->nl", moved, along.vector) + 0.4
    np.testing.assert_allclose(distances, np.tile(np.array(strengths)[:, None], (1, L)), atol=1e-5)
    np.testing.assert_allclose(np.einsum("nld,ld->nl", moved - W, condition.vector), 0, atol=1e-5)


def test_an_absolute_move_leaves_layers_alone_that_the_direction_does_not_have():
    normal = unit()
    normal[2] = 0
    moved = DirectionMove(direction(normal), (3.0,), absolute=True).apply(W)
    np.testing.assert_array_equal(moved[0, 2], W[0, 2])
    assert np.isfinite(moved).all()


def test_a_move_knows_whether_it_moves_anything():
    normal = unit()
    normal[2] = 0
    along = direction(normal)
    assert DirectionMove(along, (1.0,)).moves
    assert not DirectionMove(along, (1.0,), layers=(2, 2)).moves
    assert not DirectionMove(along, (1.0,), conditions=(along,)).moves
    assert not DirectionMove(direction(unit(), lengths=(0.0,) * L), (1.0,)).moves


def test_mixing_takes_the_layers_of_the_other():
    other = unit()
    mixed = StyleMix(other, (0, 1)).apply(W)
    np.testing.assert_array_equal(mixed[0, :2], other[:2])
    np.testing.assert_array_equal(mixed[0, 2], W[0, 2])


def test_interpolation_stays_at_0_and_arrives_at_1():
    other = unit()
    path = Interpolation(plain(other), (0.0, 1.0, 2.0)).apply(Codes.plain(W)).w
    np.testing.assert_allclose(path[0], W[0], atol=1e-6)
    np.testing.assert_allclose(path[1], other, atol=1e-6)
    np.testing.assert_allclose(path[2], 2 * other - W[0], atol=1e-5)


def test_truncation_pulls_towards_the_mean():
    mean = unit()
    np.testing.assert_allclose(Truncation(mean, 1.0).apply(W), W, atol=1e-6)
    np.testing.assert_allclose(Truncation(mean, 0.0).apply(W)[0], mean, atol=1e-6)
    np.testing.assert_allclose(Truncation(mean, 0.5).apply(W)[0], (W[0] + mean) / 2, atol=1e-6)


def test_everything_stays_float32():
    other = unit()
    assert orthogonalise(other, [unit()]).dtype == np.float32
    for operation in (
        DirectionMove(direction(other), (1.0,)),
        DirectionMove(direction(other, 0.1), (1.0,), absolute=True),
        StyleMix(other, (0, L - 1)),
        Truncation(other, 0.3),
    ):
        assert operation.apply(W).dtype == np.float32


def test_operations_go_one_after_the_other_and_one_may_make_a_strip():
    along, other = direction(unit()), unit()
    edit = CodeEdit(
        (DirectionMove(along, (1.0,)), Interpolation(plain(other), (0.0, 1.0)), Truncation(other, 0.5))
    )
    assert (edit.strip, edit.images) == ((0.0, 1.0), 2)
    moved = W[0] + along.vector
    np.testing.assert_allclose(edit.apply(Codes.plain(W)).w, [(moved + other) / 2, other], atol=1e-5)
    assert CodeEdit(()).images == 1


def test_the_operation_is_told_that_leaves_the_range_of_float32():
    along = direction(np.eye(L, D, dtype=np.float32))
    edit = CodeEdit(
        (DirectionMove(along, (1.0,)), DirectionMove(along, (3e38,)), DirectionMove(along, (3e38,)))
    )
    with pytest.raises(CodeOutOfRange) as caught:
        edit.apply(Codes.plain(W))
    assert caught.value.index == 2
