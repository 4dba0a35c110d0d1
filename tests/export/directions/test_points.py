"""Random points of every space, and their codes."""

from __future__ import annotations

import numpy as np

from relatent.core.spaces import Space
from relatent_export.directions.points import codes_of, draw_points
from relatent_export.nets.networks import Networks


def test_points_of_w_plus_mix_two_styles_and_those_of_z_are_mapped(small: Networks) -> None:
    plain = draw_points(small.generator, Space.W, 20, seed=1)
    mixed = draw_points(small.generator, Space.W_PLUS, 20, seed=1)
    np.testing.assert_array_equal(mixed[:, 0], plain[:, 0])
    crossed = (mixed[:, -1] != plain[:, -1]).any(1)
    assert crossed.any()
    np.testing.assert_array_equal(mixed[crossed, -1], np.roll(plain, 1, 0)[crossed, -1])
    noise_points = draw_points(small.generator, Space.Z, 20, seed=1)
    np.testing.assert_allclose(codes_of(small.generator, Space.Z)(noise_points), plain, atol=1e-6)
