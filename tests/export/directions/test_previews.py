"""Pictures of directions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove
from relatent.core.spaces import Space
from relatent_export.directions.points import draw_points
from relatent_export.directions.previews import save_preview
from relatent_export.nets.networks import Networks
from relatent_export.nets.pixels import to_bytes
from tests.fixtures.small import SMALL

SIDE = SMALL.resolution


def along_first(small: Networks, length: float, calibration: float, most: float) -> tuple[Direction, float]:
    """A direction of layers 2 to 5, and three standard deviations of codes along it, in strengths."""
    vector = np.zeros((SMALL.layers, SMALL.latent_width), np.float32)
    vector[:, 0] = 1
    points = draw_points(small.generator, Space.W, 256, 5)
    lengths = (length,) * SMALL.layers
    direction = Direction("found", vector, 0.0, "", 2, 5, calibration, -most, most, lengths, Space.W)
    return direction, 3 * float(points[:, 0, 0].std()) / length


@pytest.mark.parametrize("length", [1.0, 0.25])
@pytest.mark.parametrize(
    ("calibration", "most", "share"), [(0.0, 10.0, 1.0), (0.5, 1e6, 1.0), (0.5, 0.0, 0.2)]
)
def test_samples_are_moved_as_far_as_makes_sense_and_no_further_than_codes_go(
    small: Networks, tmp_path: Path, length: float, calibration: float, most: float, share: float
) -> None:
    direction, spread = along_first(small, length, calibration, most)
    if not most:
        direction = replace(direction, min_strength=-share * spread, max_strength=share * spread)
    save_preview(direction, small.generator, tmp_path / "found.png")
    with Image.open(tmp_path / "found.png") as picture:
        sheet = np.asarray(picture)
    point = draw_points(small.generator, Space.W, 256, 5)[1:2]
    moved = DirectionMove(direction, (-share * spread, 0.0, share * spread)).apply(point)
    with torch.no_grad():
        images = to_bytes(small.generator.synthesis(torch.from_numpy(moved))).numpy()
    for column, image in zip((0, 2, 4), images, strict=True):
        found = sheet[SIDE : 2 * SIDE, column * SIDE : (column + 1) * SIDE]
        np.testing.assert_allclose(found.astype(int), image.astype(int), atol=1)


def test_where_strengths_are_told_samples_are_moved_as_far_as_they_go(
    small: Networks, tmp_path: Path
) -> None:
    direction, spread = along_first(small, 1.0, 0.0, 10.0)
    direction = replace(direction, min_strength=-5 * spread, max_strength=5 * spread)
    save_preview(direction, small.generator, tmp_path / "found.png", as_told=True)
    with Image.open(tmp_path / "found.png") as picture:
        last = np.asarray(picture)[:SIDE, 4 * SIDE :]
    moved = DirectionMove(direction, (5 * spread,)).apply(draw_points(small.generator, Space.W, 256, 5)[:1])
    with torch.no_grad():
        image = to_bytes(small.generator.synthesis(torch.from_numpy(moved))).numpy()[0]
    np.testing.assert_allclose(last.astype(int), image.astype(int), atol=1)
