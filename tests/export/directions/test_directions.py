from __future__ import annotations

import numpy as np
import pytest
import torch

from relatent.core.attributes import Attribute
from relatent.core.controls import Controls
from relatent.core.directions import Direction
from relatent_export.directions.boundary import fit_boundary
from relatent_export.directions.calibration import Measure, calibrated, needed_layers
from relatent_export.directions.jacobian import jacobian_directions


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


def saturating(codes: torch.Tensor, normal: torch.Tensor) -> Measure:
    """Only the last three layers matter, and what goes beyond 2.5 does nothing more."""
    return lambda w: 0.3 * (w[:, 6:].mean(1) - codes[:, 0]).matmul(normal).clamp(-2.5, 2.5)


def samples(normal: torch.Tensor) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randn(50, 1, len(normal), generator=random).expand(-1, 9, -1).contiguous()


def along(normal: torch.Tensor, first: int = 0, last: int = 8) -> Direction:
    vector = normal.expand(9, -1).contiguous().numpy()
    return Direction("more", vector, 0.0, "more", first, last, 0.0, 0.0, 0.0)


def test_a_direction_needs_the_layers_that_have_its_effect() -> None:
    normal = torch.nn.functional.normalize(torch.randn(8, generator=torch.Generator().manual_seed(2)), dim=0)
    codes = samples(normal)
    assert needed_layers(codes, normal, saturating(codes, normal)) == range(6, 9)


def test_calibration_is_the_slope_at_zero_however_it_saturates_and_strengths_cover_the_range() -> None:
    normal = torch.nn.functional.normalize(torch.randn(8, generator=torch.Generator().manual_seed(2)), dim=0)
    codes = samples(normal)
    found = calibrated(along(normal), codes, saturating(codes, normal), width=6.0)
    assert found.calibration == pytest.approx(0.3, rel=1e-3)
    assert found.max_strength == pytest.approx(6 / 0.3, rel=1e-3)
    assert found.min_strength == -found.max_strength
    backwards = calibrated(along(-normal), codes, saturating(codes, normal), width=6.0)
    assert backwards.calibration == pytest.approx(-0.3, rel=1e-3)


def test_a_direction_that_does_nothing_has_no_calibration() -> None:
    normal = torch.nn.functional.normalize(torch.ones(8), dim=0)
    codes = samples(normal)
    found = calibrated(along(normal, 0, 5), codes, saturating(codes, normal), width=2.0)
    assert (found.calibration, found.min_strength, found.max_strength) == (0, 0, 0)


def test_a_direction_of_the_jacobian_moves_its_attribute_and_holds_the_others() -> None:
    random = np.random.default_rng(3)
    jacobian = random.normal(size=(3, 4, 16)).astype(np.float32)
    attributes = [Attribute(name, name, low=-1, high=1) for name in ("one", "two", "three")]
    found = jacobian_directions(attributes, Controls(jacobian, (1.0, 1.0, 1.0), 1))
    for place, direction in enumerate(found):
        assert direction.attribute == attributes[place].name
        np.testing.assert_allclose(np.linalg.norm(direction.vector, axis=1), 1, rtol=1e-5)
        assert np.square(direction.lengths).mean() == pytest.approx(1, rel=1e-5)
        step = np.array(direction.lengths)[:, None] * direction.vector
        change = jacobian.reshape(3, -1) @ step.ravel()
        others = np.delete(change, place)
        assert np.abs(others).max() < 0.03 * change[place]
