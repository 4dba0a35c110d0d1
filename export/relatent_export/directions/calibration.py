"""Measuring a direction: which layers it needs, how strongly it acts, and what strengths cover a range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from relatent.core.directions import Direction
from relatent_export.directions.moving import Mover, along

SMALL = 0.05
"""Of an attribute's range, about: a change so small that it tells the slope before any saturation."""

_NEEDED = 0.15
"""A group of layers belongs to a direction if it alone has this share of the whole effect."""

Measure = Callable[[Tensor], Tensor]
"""W+ codes [B, L, D] to one attribute's readings [B]."""


def calibrated(
    direction: Direction, codes: Tensor, measure: Measure, width: float, move: Mover = along
) -> Direction:
    """A direction with its calibration, the slope at zero, and strengths that cover the attribute's range.

    Args:
        direction: of W or W+.
        codes: float32 [N, L, D], where to start from.
        measure: the attribute of codes.
        width: how far the attribute's range goes, in readings.
        move: moves codes along it.

    Returns:
        The same with `calibration` in readings per unit of strength, and as `min_strength` and
        `max_strength` what would take the attribute from either end of its range to the other; all 0 where
        it does nothing.
    """
    strength = 1.0
    for _ in range(3):  # the first one is a guess, which the next corrects
        slope = _slope(direction, codes, measure, strength, move)
        if abs(slope) * strength < 1e-6 * width:
            return replace(direction, calibration=0.0, min_strength=0.0, max_strength=0.0)
        strength = SMALL * width / abs(slope)
    most = width / abs(slope)
    return replace(direction, calibration=slope, min_strength=-most, max_strength=most)


def needed_layers(codes: Tensor, normal: Tensor, measure: Measure) -> range:
    """The smallest run of thirds of the layers that each alone have a share of a normal's effect.

    Args:
        codes: float32 [N, L, D], where to start from.
        normal: float32 [D], unit norm.
        measure: the attribute of codes.
    """
    count, deviation = codes.shape[1], float((codes[:, 0] @ normal).std())
    cuts = [count * i // 3 for i in range(4)]
    thirds = [range(cuts[i], cuts[i + 1]) for i in range(3)]

    def effect(layers: range) -> float:
        vector = normal.expand(count, -1).numpy()
        direction = Direction("", vector, 0.0, "", layers.start, layers.stop - 1, 0.0, 0.0, 0.0)
        return _slope(direction, codes, measure, deviation, along)

    whole = effect(range(count))
    needed = [third for third in thirds if effect(third) >= _NEEDED * whole]
    if whole <= 0 or not needed:
        return range(count)
    return range(needed[0].start, needed[-1].stop)


def _slope(direction: Direction, codes: Tensor, measure: Measure, strength: float, move: Mover) -> float:
    """Of the mean reading, by strengths on either side of zero."""
    moved = [torch.from_numpy(move(direction, sign * strength, codes.numpy())) for sign in (1, -1)]
    up, down = (float(measure(each).mean()) for each in moved)
    return (up - down) / (2 * strength)
