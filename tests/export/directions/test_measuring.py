"""What directions are measured to do, where the readings are plain functions of the code."""

from __future__ import annotations

import numpy as np
import pytest

from relatent.core.attributes import Attribute
from relatent.core.directions import Direction
from relatent_export.directions.measuring import Floats, Ruler

LAYERS, WIDTH = 4, 3
ATTRIBUTES = (
    Attribute("age", "Age", low=0, high=80, scale=10),
    Attribute("smile", "Smile", low=-1, high=1),
    Attribute("yaw", "Yaw", low=-20, high=20),
)
SLOPES = np.array([[0.5, 0.0, 0.0], [-0.1, 1.0, 0.0], [0.4, 0.0, 3.0]])
"""Of the readings, by the mean over the layers of a code."""


def read(codes: Floats) -> Floats:
    return np.asarray(codes.mean(1) @ SLOPES.T, np.float32)


def ruler() -> Ruler:
    points = np.random.default_rng(1).normal(size=(6, LAYERS, WIDTH))
    return Ruler(ATTRIBUTES, read, np.asarray(points, np.float32))


def along(axis: int, attribute: str = "", sign: float = 1) -> Direction:
    vector = np.zeros((LAYERS, WIDTH), np.float32)
    vector[:, axis] = sign
    return Direction("found", vector, sign * 0.5, attribute, 0, LAYERS - 1, 0.0, 0.0, 0.0)


def test_leak_is_what_all_others_move_where_it_moves_its_own_by_a_quarter_of_the_range() -> None:
    found = ruler().measured(along(0, "age"))
    assert found.calibration == pytest.approx(0.5, rel=1e-3)
    # A quarter of a range of 80 is, by a scale of 10, a reading of 2, which a strength of 4 does. It takes
    # smile by 0.4 of 2 and yaw by 1.6 of 40.
    assert found.leak == pytest.approx((20 + 4) / 2, rel=1e-3)
    assert found.max_strength == pytest.approx(8 / 0.5, rel=1e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_one_without_a_name_gets_that_of_what_it_moves_most_of_its_range_and_points_to_more(
    sign: float,
) -> None:
    found = ruler().measured(along(1, sign=sign))
    assert found.attribute == "smile"
    assert found.calibration == pytest.approx(1, rel=1e-3)
    assert (found.vector[0, 1], found.bias) == (1, 0.5)
    assert found.leak == pytest.approx(0, abs=1e-3)


def test_a_label_that_nothing_here_reads_stays_as_it_is() -> None:
    bright = along(0, "bright")
    assert ruler().measured(bright) is bright


def test_what_moves_nothing_has_no_strengths_and_no_leak() -> None:
    found = ruler().measured(along(2, "smile"))
    assert (found.calibration, found.max_strength, found.leak) == (0, 0, None)
