"""Linear walks that zoom, shift, rotate and tint images (`relatent_export.directions.walks`).

A unit of strength is a unit of the transformation, and strengths reach as far as walks were trained.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from relatent.core.directions import Direction
from relatent_export.directions.finders.finder import FinderInput
from relatent_export.directions.finders.making import direction_of
from relatent_export.directions.transforms import TRANSFORMS, Transform
from relatent_export.directions.walks import LinearWalk, WalkKind, train_walk


def find_walks(given: FinderInput) -> list[Direction]:
    """One for each transformation, `walk_zoom` and so on.

    Raises:
        ValueError: there are fewer samples than a batch.
        OSError: a run cannot be kept; names the file.
    """
    return [_walk(given, transform) for transform in TRANSFORMS.values()]


def _walk(given: FinderInput, transform: Transform) -> Direction:
    walk = train_walk(
        given.networks, transform, WalkKind.LINEAR, given.layers, given.samples, given.seed, given.work
    )
    assert isinstance(walk, LinearWalk)
    shift = walk.shift.double().numpy()
    length = float(np.linalg.norm(shift))
    lengths = [length] * given.networks.generator.config.layers
    direction = direction_of(given, f"walk_{transform.name}", shift / length, lengths=lengths)
    return replace(direction, min_strength=-transform.reach, max_strength=transform.reach)
