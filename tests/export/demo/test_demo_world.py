from __future__ import annotations

import itertools

import pytest
import torch

from relatent_export.demo.factors import FACTORS, sample_factors
from relatent_export.demo.portraits import draw_portraits
from relatent_export.demo.world import Drawings, draw


def portrait(resolution: int = 64, /, **factors: float) -> torch.Tensor:
    row = torch.zeros(1, len(FACTORS))
    for name, value in factors.items():
        row[0, FACTORS.index(name)] = value
    return draw_portraits(row, resolution)[0].float()


@pytest.mark.parametrize("name", FACTORS)
def test_every_factor_moves_the_drawing_all_along_its_range(name: str) -> None:
    points = [portrait(**{name: v}) for v in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    steps = [float((a - b).abs().mean()) for a, b in itertools.pairwise(points)]
    assert min(steps) > 0.02, steps


@pytest.mark.parametrize("resolution", [32, 64, 100, 256])
def test_a_portrait_is_the_same_at_any_resolution(resolution: int) -> None:
    large = portrait(512, smile=0.7, glasses=0.8, yaw=-0.5)
    small = portrait(resolution, smile=0.7, glasses=0.8, yaw=-0.5)
    assert small.shape == (3, resolution, resolution)
    reduced = torch.nn.functional.interpolate(large[None], size=resolution, mode="area")[0]
    assert float((small - reduced).abs().mean()) < 4


@pytest.mark.parametrize("name", ["background_hue", "shirt_hue"])
def test_a_hue_does_not_wrap_around(name: str) -> None:
    assert float((portrait(**{name: -1.0}) - portrait(**{name: 1.0})).abs().mean()) > 1


def test_age_and_glasses_are_correlated_and_nothing_else_is() -> None:
    factors = sample_factors(20_000, torch.Generator().manual_seed(0))
    correlation = torch.corrcoef(factors.t())
    age, glasses = FACTORS.index("age"), FACTORS.index("glasses")
    assert 0.5 < float(correlation[age, glasses]) < 0.65
    correlation[age, glasses] = correlation[glasses, age] = 0
    assert float((correlation - torch.eye(len(FACTORS))).abs().max()) < 0.04
    assert float(factors.abs().max()) <= 1
    # Uniform on [-1, 1]: variance 1/3.
    assert torch.allclose(factors.var(0), torch.tensor(1 / 3), atol=0.02)


def test_a_set_of_drawings_is_always_the_same_and_shares_none_with_another() -> None:
    first, factors = draw(Drawings.HELD_OUT, 20)
    again, _ = draw(Drawings.HELD_OUT, 40)
    assert torch.equal(first, again[:20])
    assert factors.shape == (20, len(FACTORS))
    other, _ = draw(Drawings.TRAINING, 20)
    assert all(not torch.equal(a, b) for a in first for b in other)


def test_factors_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"factors: expected \[n, 16\], got \[2, 3\]"):
        draw_portraits(torch.zeros(2, 3), 64)
