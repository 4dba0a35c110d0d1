"""Conditional edits are InterFaceGAN's conditional boundaries, by definitions that share no code with ours.

Shen et al., "Interpreting the Latent Space of GANs for Semantic Face Editing" (2020): what is left of a
normal after its least-squares fit by the conditions' normals, at unit norm.
"""

import numpy as np
import pytest

from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove, orthogonalise

WIDTH = 512
COSINE = 0.72  # between InterFaceGAN's age and eyeglasses of FFHQ, in Z


def correlated(count, rows=2, seed=0):
    """Unit normals [count, rows, WIDTH], each pair at the same cosine."""
    random = np.random.default_rng(seed)
    shared, own = random.normal(size=(1, rows, WIDTH)), random.normal(size=(count, rows, WIDTH))
    basis = np.linalg.qr(np.concatenate([shared, own]).transpose(1, 2, 0))[0].transpose(2, 0, 1)
    normals = np.sqrt(COSINE) * basis[:1] + np.sqrt(1 - COSINE) * basis[1:]
    return normals.astype(np.float32)


def by_least_squares(normal, conditions):
    """The residual of a fit, at unit norm."""
    fitted = conditions.T @ np.linalg.lstsq(conditions.T, normal, rcond=None)[0]
    return (normal - fitted) / np.linalg.norm(normal - fitted)


def by_complement(normal, conditions):
    """The part within the orthogonal complement of the conditions' span, at unit norm."""
    complement = np.linalg.qr(conditions.T, mode="complete")[0][:, len(conditions) :]
    part = complement @ (complement.T @ normal)
    return part / np.linalg.norm(part)


def by_normal_equations(normal, conditions):
    """As InterFaceGAN writes it for one and two conditions: coefficients by their cosines."""
    coefficients = np.linalg.inv(conditions @ conditions.T) @ (conditions @ normal)
    rest = normal - coefficients @ conditions
    return rest / np.linalg.norm(rest)


@pytest.mark.parametrize("define", [by_least_squares, by_complement, by_normal_equations])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_is_the_unit_residual_of_least_squares_against_all_conditions(define, count):
    normal, *conditions = correlated(1 + count)
    assert np.abs(np.sum(conditions[0] * normal, axis=1) - COSINE).max() < 1e-6
    found = orthogonalise(normal, conditions)
    for row in range(len(normal)):
        exact = np.stack([condition[row] for condition in conditions]).astype(np.float64)
        expected = define(normal[row].astype(np.float64), exact)
        np.testing.assert_allclose(found[row], expected, atol=1e-6)


def test_two_conditions_are_what_interfacegan_writes_out():
    normal, first, second = correlated(3, rows=1, seed=1)
    p, a, b = (vector[0].astype(np.float64) for vector in (normal, first, second))
    alpha = (p @ a - (p @ b) * (a @ b)) / (1 - (a @ b) ** 2)
    beta = (p @ b - (p @ a) * (a @ b)) / (1 - (a @ b) ** 2)
    rest = p - alpha * a - beta * b
    np.testing.assert_allclose(
        orthogonalise(normal, [first, second])[0], rest / np.linalg.norm(rest), atol=1e-6
    )


def test_the_order_of_conditions_does_not_matter():
    normal, *conditions = correlated(4, seed=2)
    np.testing.assert_allclose(
        orthogonalise(normal, conditions), orthogonalise(normal, conditions[::-1]), atol=1e-6
    )


def test_a_strength_goes_as_far_along_the_direction_whatever_is_kept():
    normal, *conditions = correlated(3, seed=4)
    directions = [
        Direction(str(index), vector, 0.0, "", 0, 1, 0.0, 0.0, 0.0, (1.0, 2.0))
        for index, vector in enumerate((normal, *conditions))
    ]
    codes = np.zeros((1, 2, WIDTH), np.float32)
    plain = DirectionMove(directions[0], (1.5,)).apply(codes)
    kept = DirectionMove(directions[0], (1.5,), conditions=tuple(directions[1:])).apply(codes)
    for moved in (plain, kept):
        np.testing.assert_allclose(np.einsum("nld,ld->nl", moved, normal), [[1.5, 3.0]], rtol=1e-4)
    for condition in conditions:
        np.testing.assert_allclose(np.einsum("nld,ld->nl", kept, condition), 0, atol=1e-5)
