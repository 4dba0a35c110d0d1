from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from relatent_export.compile.preconditioning import coordinates, gauss_newton
from relatent_export.demo.fit import fit_basis
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import reconstruction_objective
from tests.export.running import conditions
from tests.fixtures.small import SMALL


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def steep(width: int = 6) -> Tensor:
    """A quadratic form a thousand times as steep along one axis as along another, and askew."""
    axes = torch.linalg.qr(numbers(width, width).double())[0]
    return axes @ torch.diag(torch.logspace(0, 3, width, dtype=torch.float64)) @ axes.t()


def test_the_matrix_of_linear_residuals_is_their_own_square() -> None:
    factor = numbers(9, 6)

    def residuals(code: Tensor, target: Tensor) -> Sequence[Tensor]:
        compared = code.flatten(1) @ factor.t() - target
        return [compared[:, :4], compared[:, 4:]]

    codes, targets = numbers(50, 2, 3, seed=2), numbers(50, 9, seed=3)
    found = gauss_newton(residuals, codes, targets, 400, torch.Generator().manual_seed(1))
    truth = (factor.t() @ factor).double()
    assert float((found - truth).norm() / truth.norm()) < 0.03


def test_coordinates_make_a_quadratic_form_round() -> None:
    matrix = steep()
    basis = coordinates(matrix, damping=1e-9).double()
    assert torch.allclose(basis.t() @ matrix @ basis, torch.eye(6, dtype=torch.float64), atol=1e-3)


def test_damping_leaves_shallow_directions_shallow() -> None:
    matrix = steep()
    basis = coordinates(matrix, damping=0.1).double()
    values = torch.linalg.eigvalsh(basis.t() @ matrix @ basis)
    floor = 0.1 * float(matrix.diagonal().mean())
    assert float(values[-1]) == pytest.approx(1000 / (1000 + floor), rel=1e-3)
    assert float(values[0]) == pytest.approx(1 / (1 + floor), rel=1e-3)


def test_directions_that_change_nothing_have_no_coordinate() -> None:
    basis = coordinates(torch.diag(torch.tensor([4.0, 0.0, 1.0])))
    assert basis.shape == (3, 2)
    assert torch.equal(basis[1], torch.zeros(2))


@pytest.mark.parametrize("matrix", [torch.zeros(3, 3), torch.full((3, 3), float("nan"))])
def test_a_matrix_that_says_nothing_is_refused(matrix: Tensor) -> None:
    with pytest.raises(ValueError, match="matrix: expected finite numbers, and some that are not zero"):
        coordinates(matrix)


def test_the_squares_of_the_residuals_add_up_to_the_loss(small: Networks) -> None:
    """With a mask that is grey in places, and an anchor that is elsewhere."""
    objective = reconstruction_objective(small)
    given = {name: torch.from_numpy(value) for name, value in conditions(3, 32, 1).items()}
    shape = (3, SMALL.layers, SMALL.latent_width)
    code, anchor = numbers(*shape, seed=1), numbers(*shape, seed=2)
    prepared = objective.prepare(given)
    sides = {"w": code}, {"anchor": anchor}, given, prepared
    squares = sum(part.square().flatten(1).sum(1) for part in objective.residuals(*sides))
    torch.testing.assert_close(squares, objective.losses(*sides), rtol=1e-4, atol=1e-7)


def test_the_demos_coordinates_are_measured_on_the_objective_that_packs_have(small: Networks) -> None:
    """The anchor's curvature included, with which no direction is without any."""
    basis = fit_basis(small, codes=8, probes=200)
    assert basis.shape == (SMALL.layers * SMALL.latent_width,) * 2
    lengths = basis.norm(dim=0)
    assert torch.equal(lengths, lengths.sort(descending=True).values), "the steepest direction is last"
