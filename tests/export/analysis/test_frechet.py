from __future__ import annotations

import pytest
import torch

from relatent_export.analysis.frechet import frechet_distance, latent_frechet


def normal(count: int, *shape: int) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def whitened(count: int, width: int) -> torch.Tensor:
    """Vectors whose mean is 0 and whose covariance is the unit matrix, to the last digits."""
    x = normal(count, width)
    x = x - x.mean(0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.t()))).t()


def test_frechet_distance_of_known_gaussians() -> None:
    a = normal(50_000, 3)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(a, a + torch.tensor([1.0, 2.0, 0.0])) == pytest.approx(5, rel=1e-6)
    # N(0, 1) against N(0, 4) in each of three axes: (2 - 1)² each.
    assert frechet_distance(a, a * 2) == pytest.approx(3, rel=0.03)


def test_frechet_distance_is_the_closed_form_where_covariances_do_not_commute() -> None:
    """With C_b of rank 1, C_b = b bᵀ, the root's trace is that of bᵀ C_a b, one number."""
    x = whitened(200, 3)
    root = torch.tensor([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.5, 3.0]], dtype=torch.float64)
    b = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    covariance = root @ root.t()
    shift = torch.tensor([0.3, 0.0, -1.0], dtype=torch.float64)
    expected = shift.square().sum() + covariance.trace() + b @ b - 2 * (b @ covariance @ b).sqrt()
    found = frechet_distance(x @ root.t(), x[:, :1] * b + shift)
    assert found == pytest.approx(float(expected), rel=1e-7)


def test_codes_whose_layers_differ_differ_in_all_layers_and_not_in_their_mean() -> None:
    same = normal(500, 1, 3).expand(-1, 2, -1).float()
    apart = same + torch.tensor([1.0, -1.0])[:, None]
    found = latent_frechet(apart, same)
    assert found.averaged == pytest.approx(0, abs=1e-6)
    assert found.flattened == pytest.approx(6, rel=1e-5)
    assert latent_frechet(same, same).flattened == pytest.approx(0, abs=1e-6)
