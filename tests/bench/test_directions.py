"""How directions are held against what drawings were drawn with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.finding import choose, correlation, projections
from relatent.core.directions import Direction

RANDOM = np.random.default_rng(3)
CODES = RANDOM.normal(size=(200, 4, 6)).astype(np.float32)


def direction(name: str, place: int, first: int = 0, last: int = 3) -> Direction:
    """Along one number of every layer."""
    vector = np.zeros((4, 6), np.float32)
    vector[:, place] = 1
    return Direction(name, vector, 0.0, "", first, last, 0.0, 0.0, 0.0)


def test_codes_are_projected_over_the_layers_that_a_direction_moves_and_by_their_lengths() -> None:
    lengths = (1.0, 2.0, 0.5, 4.0)
    along = replace(direction("one", 2, first=1, last=2), lengths=lengths)
    np.testing.assert_allclose(
        projections(along, CODES), 2 * CODES[:, 1, 2] + 0.5 * CODES[:, 2, 2], rtol=1e-6
    )


def test_a_projection_that_is_the_factor_goes_with_it_wholly() -> None:
    factor = CODES[:, :, 1].sum(1)
    assert correlation(direction("one", 1), CODES, factor) == pytest.approx(1)
    assert correlation(direction("one", 1), CODES, -factor) == pytest.approx(-1)
    assert abs(correlation(direction("one", 2), CODES, factor)) < 0.3


def test_of_those_without_a_name_the_one_counts_that_goes_with_the_factor_most_turned_its_way() -> None:
    factor = -CODES[:, :, 4].sum(1)
    chosen = choose([direction(f"pca_{place}", place) for place in range(6)], "yaw", CODES, factor)
    assert (chosen.name, chosen.attribute) == ("pca_4", "yaw")
    assert correlation(chosen, CODES, factor) == pytest.approx(1)
