"""What an inversion leaves of its code's use: how far it has wandered, and how it answers edits."""

from __future__ import annotations

import numpy as np

from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove
from relatent_export.analysis.refining import ExportedPack, Floats
from relatent_export.progress import progress

_SHARE = 0.5
"""How far an edit goes in its direction's measured range."""
_BATCH = 16


def moved(codes: Floats, starts: Floats) -> float:
    """Root mean square of the change, over all numbers of all codes."""
    return float(np.sqrt(np.square(codes - starts).mean()))


def edit_gain(exported: ExportedPack, codes: Floats) -> float:
    """The effect of edits on these codes over the effect that the pack states, a mean over directions.

    1: they answer as the generator's own samples do, on which the directions were calibrated.

    Args:
        exported: the pack's graphs.
        codes: [N, L, D].
    """
    gains = []
    for direction in progress(exported.pack.directions.values(), "editing", leave=False):
        reach = _SHARE * min(direction.max_strength, -direction.min_strength)
        if direction.calibration > 0 and reach > 0:
            ends = [_attribute(exported, direction, codes, strength) for strength in (reach, -reach)]
            gains.append(float((ends[0] - ends[1]).mean()) / (2 * reach * direction.calibration))
    return float(np.mean(gains))


def _attribute(exported: ExportedPack, direction: Direction, codes: Floats, strength: float) -> Floats:
    edited = DirectionMove(direction, (strength,) * len(codes)).apply(codes)
    found: list[Floats] = []
    for at in range(0, len(edited), _BATCH):
        images = exported.synthesize(edited[at : at + _BATCH])
        found.append(exported.run("attributes", {"image": images})["attributes"])
    column: Floats = np.concatenate(found)[:, exported.pack.attribute_names.index(direction.attribute)]
    return column
