from __future__ import annotations

import pytest
import torch

from relatent_export.directions.boundary import fit_boundary
from relatent_export.directions.calibration import calibrate


def test_a_boundary_finds_the_direction_an_attribute_was_made_from() -> None:
    random = torch.Generator().manual_seed(0)
    truth = torch.nn.functional.normalize(torch.randn(16, generator=random), dim=0)
    codes = torch.randn(4_000, 16, generator=random) + 0.5
    values = codes @ truth - 0.7 + 0.1 * torch.randn(4_000, generator=random)
    found = fit_boundary(codes, values)
    assert float(found.normal @ truth) > 0.99
    assert abs(float(found.normal.norm()) - 1) < 1e-5
    # The boundary lies where the attribute has its median.
    assert abs(found.bias - float(-(codes @ truth).median())) < 0.1
    assert found.accuracy > 0.97


def test_a_boundary_needs_samples_that_differ() -> None:
    with pytest.raises(ValueError, match="values: expected at least 8 samples that differ"):
        fit_boundary(torch.randn(20, 4), torch.ones(20))


def test_calibration_measures_slope_rows_and_range() -> None:
    random = torch.Generator().manual_seed(1)
    normal = torch.nn.functional.normalize(torch.randn(8, generator=random), dim=0)
    codes = torch.randn(50, 1, 8, generator=random).expand(-1, 9, -1)

    def measure(w: torch.Tensor) -> torch.Tensor:
        # Only the last three rows matter, and strength beyond 2.5 saturates.
        return 0.3 * (w[:, 6:].mean(1) - codes[:, 0]).matmul(normal).clamp(-2.5, 2.5)

    found = calibrate(codes, normal, measure)
    assert (found.first_layer, found.last_layer) == (6, 8)
    assert found.slope == pytest.approx(0.3, rel=0.05)
    assert 2 <= found.max_strength <= 3.5
    assert found.min_strength == pytest.approx(-found.max_strength)
