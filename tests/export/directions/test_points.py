"""Random points of every space, and their images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from relatent.core.spaces import Space
from relatent_export.directions.points import draw_points, synthesis_of
from relatent_export.nets.networks import Networks


def test_points_of_w_plus_mix_two_styles_and_those_of_z_are_mapped(small: Networks) -> None:
    plain = draw_points(small.generator, Space.W, 20, seed=1)
    mixed = draw_points(small.generator, Space.W_PLUS, 20, seed=1)
    np.testing.assert_array_equal(mixed[:, 0], plain[:, 0])
    crossed = (mixed[:, -1] != plain[:, -1]).any(1)
    assert crossed.any()
    np.testing.assert_array_equal(mixed[crossed, -1], np.roll(plain, 1, 0)[crossed, -1])


@torch.no_grad()
@pytest.mark.parametrize("space", [Space.Z, Space.STYLE])
def test_points_of_every_space_make_the_images_of_the_same_samples(small: Networks, space: Space) -> None:
    plain = torch.from_numpy(draw_points(small.generator, Space.W, 4, seed=1))
    points = torch.from_numpy(draw_points(small.generator, space, 4, seed=1))
    assert points.shape[:2] == (4, 1)
    torch.testing.assert_close(
        synthesis_of(small.generator, space)(points), synthesis_of(small.generator, Space.W)(plain)
    )
