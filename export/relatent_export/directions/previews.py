"""Pictures of what a direction does: samples in rows, strengths in columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove
from relatent_export.directions.labels import codes_of, draw_points
from relatent_export.nets.networks import AnyGenerator
from relatent_export.nets.pixels import to_bytes
from relatent_export.writing import whole_file

_ROWS, _SEED = 3, 5
_SHARES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Of the strengths that make sense."""
_DEVIATIONS = 3.0
"""How far to go where nothing was measured: of the lengths or, where those are 1, of codes along it."""


@torch.no_grad()
def save_preview(direction: Direction, generator: AnyGenerator, path: Path) -> None:
    """Write a sheet of three samples, moved along a direction from one end of its range to the other.

    Raises:
        OSError: it cannot be written; names the file.
    """
    points = draw_points(generator, direction.space, _ROWS, _SEED)
    codes, most = codes_of(generator, direction.space), _most(direction, points)
    strips = []
    for point in points:
        strip = np.repeat(point[None], len(_SHARES), axis=0)
        move = DirectionMove(direction, tuple(share * most for share in _SHARES))
        images = to_bytes(generator.synthesis(torch.from_numpy(codes(move.apply(strip)))))
        strips.append(np.concatenate(list(images.numpy()), axis=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        Image.fromarray(np.concatenate(strips)).save(partial, "png")


def _most(direction: Direction, points: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    if direction.calibration:
        return direction.max_strength
    if set(direction.lengths) != {1.0}:
        return _DEVIATIONS
    along = points[:, 0] @ direction.vector[0]
    return _DEVIATIONS * (float(along.std()) or 1.0)
