"""Pictures of what a direction does: samples in rows, strengths in columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from relatent.core.directions import Direction
from relatent.core.p_space import to_p
from relatent.core.spaces import Space
from relatent_export.directions.moving import Mover, along
from relatent_export.directions.points import draw_points, synthesis_of
from relatent_export.nets.networks import AnyGenerator
from relatent_export.nets.pixels import to_bytes
from relatent_export.writing import whole_file

_ROWS, _SEED, _SPREAD = 3, 5, 256
"""Samples that are drawn, their seed, and as many of it as tell how far codes spread."""
_SHARES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Of the largest strength."""
_DEVIATIONS = 3.0
"""How far to go at most, in standard deviations of codes along it: beyond, images fall apart."""


@torch.no_grad()
def save_preview(
    direction: Direction, generator: AnyGenerator, path: Path, move: Mover = along, *, as_told: bool = False
) -> None:
    """Write a sheet of three samples, moved along a direction either way.

    They are moved as far as it was measured to make sense, and no further than codes go; or as far as the
    direction's strengths do, where its finder told these.

    Raises:
        OSError: it cannot be written; names the file.
    """
    points = draw_points(generator, direction.space, _SPREAD, _SEED)
    synthesis = synthesis_of(generator, direction.space)
    most = direction.max_strength if as_told else _most(direction, points)
    strips = []
    for point in points[:_ROWS]:
        strip = np.concatenate([move(direction, share * most, point[None]) for share in _SHARES])
        images = to_bytes(synthesis(torch.from_numpy(strip)))
        strips.append(np.concatenate(list(images.numpy()), axis=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        Image.fromarray(np.concatenate(strips)).save(partial, "png")


def _most(direction: Direction, points: NDArray[Any]) -> float:
    """The largest strength to draw."""
    layers = slice(direction.first_layer, direction.last_layer + 1)
    if direction.space is Space.P:
        points = to_p(points)
    step = (np.array(direction.lengths)[:, None] * direction.vector)[layers]
    ways = np.einsum("nld,ld->n", points[:, layers], step) / max(float(np.square(step).sum()), 1e-12)
    spread = _DEVIATIONS * float(ways.std())
    return min(direction.max_strength, spread) if direction.calibration else spread
