"""Coordinates of few directions and what lies outside, against the same written out as matrices."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from relatent_export.compile.low_rank import Sketch, low_rank_coordinates
from relatent_export.compile.preconditioning import coordinates
from relatent_export.nets.coordinates import Coordinates

WIDTH, RANK = 12, 4
STEEP = torch.tensor([100.0, 40.0, 10.0, 3.0], dtype=torch.float64)
FLAT = 0.02


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def eigenvectors() -> Tensor:
    return torch.linalg.qr(numbers(WIDTH, WIDTH, seed=3).double())[0]


def curvature() -> Tensor:
    """Steep along a few directions that lie askew, flat along all others."""
    values = torch.full((WIDTH,), FLAT, dtype=torch.float64)
    values[:RANK] = STEEP
    axes = eigenvectors()
    return axes @ torch.diag(values) @ axes.t()


def probes_of(matrix: Tensor, count: int) -> Tensor:
    """Rows whose squares are the matrix exactly: what infinitely many probes would say."""
    root = torch.linalg.cholesky(matrix).t()
    turn = torch.linalg.qr(numbers(count, WIDTH, seed=4).double())[0]
    return (turn @ root * count**0.5).float()


def sketched(probes: Tensor, rank: int, parts: int = 1) -> Sketch:
    sketch = Sketch(WIDTH, rank)
    for some in probes.chunk(parts):
        sketch.add(some)
    return sketch


def metric(found: Coordinates) -> Tensor:
    """The matrix [K, K] that a step along all coordinates is a product of: BBᵀ + s² (I - UUᵀ)."""
    basis = found.basis.double()
    axes = basis / basis.norm(dim=0)
    outside = 0.0 if found.outside is None else found.outside
    return basis @ basis.t() + outside**2 * (torch.eye(len(basis)) - axes @ axes.t())


def test_a_known_spectrum_is_found() -> None:
    found = low_rank_coordinates(sketched(probes_of(curvature(), 300), RANK, parts=7), RANK, damping=1e-6)
    assert found.outside is not None
    values = found.basis.double().norm(dim=0) ** -2
    torch.testing.assert_close(values, STEEP.flip(0), rtol=1e-3, atol=0)
    overlap = (found.axes.double().t() @ eigenvectors()[:, :RANK].flip(1)).abs()
    torch.testing.assert_close(overlap, torch.eye(RANK).double(), rtol=0, atol=1e-3)
    assert found.outside**-2 == pytest.approx(FLAT, rel=0.05)


def test_random_probes_find_it_nearly() -> None:
    root = torch.linalg.cholesky(curvature())
    found = low_rank_coordinates(
        sketched((numbers(4_000, WIDTH, seed=9).double() @ root.t()).float(), RANK, parts=50), RANK
    )
    exact = low_rank_coordinates(sketched(probes_of(curvature(), 300), RANK), RANK)
    difference = metric(found) - metric(exact)
    assert float(difference.norm() / metric(exact).norm()) < 0.1


def test_where_all_outside_is_flat_few_directions_do_what_all_do() -> None:
    probes = probes_of(curvature(), 300)
    few, all_ = (low_rank_coordinates(sketched(probes, rank), rank) for rank in (RANK, WIDTH))
    assert all_.outside is None
    torch.testing.assert_close(metric(few), metric(all_), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("parts", [1, 13])
def test_as_many_directions_as_a_code_has_numbers_are_those_of_a_full_measurement(parts: int) -> None:
    probes = numbers(200, WIDTH, seed=6) * torch.logspace(0, -2, WIDTH)
    found = low_rank_coordinates(sketched(probes, WIDTH, parts), WIDTH)
    full = coordinates(probes.double().t() @ probes.double() / 200)
    assert found.outside is None
    torch.testing.assert_close(found.basis, full, rtol=1e-3, atol=1e-5)


def test_gradients_and_moves_are_the_products_of_one_matrix() -> None:
    axes = torch.linalg.qr(numbers(WIDTH, RANK))[0]
    held = Coordinates(axes * torch.tensor([0.1, 0.5, 1.0, 7.0]), outside=2.5)
    matrix = torch.cat([held.basis, 2.5 * (torch.eye(WIDTH) - axes @ axes.t())], 1)
    assert held.numbers == matrix.shape[1] == RANK + WIDTH
    gradient, move = numbers(3, 2, WIDTH, seed=1), numbers(3, 2, held.numbers, seed=2)
    torch.testing.assert_close(held.along(gradient), gradient @ matrix, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(held.moved(move), move @ matrix.t(), rtol=1e-4, atol=1e-5)


def test_probes_are_folded_into_few_rows_and_their_squares_are_kept() -> None:
    probes = numbers(500, WIDTH, seed=8)
    sketch = sketched(probes, 2, parts=9)
    assert len(sketch.rows) <= 8
    assert sketch.probes == 500
    assert float(sketch.squares) == pytest.approx(float(probes.double().square().sum()))
    assert 2 / WIDTH < sketch.within(2) < 0.3


def test_fewer_probes_than_directions_leave_the_others_outside() -> None:
    found = low_rank_coordinates(sketched(numbers(5, WIDTH), WIDTH), WIDTH)
    assert found.basis.shape == (WIDTH, 5)
    assert found.outside is not None


@pytest.mark.parametrize("probes", [torch.zeros(3, WIDTH), torch.full((3, WIDTH), float("inf"))])
def test_probes_that_say_nothing_are_refused(probes: Tensor) -> None:
    with pytest.raises(ValueError, match="probes: expected finite numbers, and some that are not zero"):
        low_rank_coordinates(sketched(probes, 2), 2)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"basis": torch.ones(3, 4)}, r"basis: expected \[K, M\], M from 1 to K, got \[3, 4\]"),
        ({"outside": 0.0}, "outside: expected a number above 0, got 0"),
        ({"unit": float("nan")}, "unit: expected a number above 0, got nan"),
    ],
)
def test_coordinates_that_cannot_be_stepped_in_are_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Coordinates(**{"basis": torch.ones(4, 3), **fields})  # type: ignore[arg-type]
