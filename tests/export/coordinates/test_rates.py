"""Step sizes: where a search ends, whatever it begins with."""

from __future__ import annotations

import math

import pytest
import torch

from relatent_export.coordinates import rates
from relatent_export.coordinates.rates import choose_rates, lowest, samples_of, unit_for
from relatent_export.nets.coordinates import UNIT, Coordinates
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import reconstruction_objective
from tests.fixtures.small import SMALL


@pytest.mark.parametrize("guess", [2e-4, 0.004, 0.05])
def test_a_search_ends_at_the_lowest_point_wherever_it_begins(guess: float) -> None:
    found = lowest(lambda rate: math.exp(math.log2(rate / 0.003) ** 2), guess)
    assert found == pytest.approx(0.003, rel=0.02)


def test_step_sizes_that_blow_up_are_no_lowest_point() -> None:
    found = lowest(lambda rate: math.nan if rate > 0.01 else 1 / rate, 0.004)
    assert 0.004 <= found <= 0.01


def test_a_function_that_falls_for_ever_ends_the_search() -> None:
    assert 0 < lowest(lambda rate: 1 / rate, 0.001) < math.inf


def test_longer_coordinates_are_stepped_along_by_less(small: Networks, monkeypatch) -> None:
    monkeypatch.setattr("relatent_export.coordinates.samples._MOST", 2)
    monkeypatch.setattr(rates, "STEPS", dict.fromkeys(rates.STEPS, 6))
    random = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(SMALL.layers * SMALL.latent_width, 5, generator=random))[0]
    weights = reconstruction_objective(small).weights
    short, long = (
        choose_rates(small, weights, Coordinates(length * axes, outside=length), seed=0)
        for length in (1.0, 8.0)
    )
    assert samples_of(small) == 2
    assert short.keys() == {"encoder", "mean"}
    for start, rate in short.items():
        assert long[start] == pytest.approx(rate / 8, rel=0.05)


def test_the_demos_step_size_has_the_demos_unit() -> None:
    assert unit_for(0.0007) == pytest.approx(UNIT, rel=0.03)
