"""Measuring a direction: which layers it needs, how strongly it acts, how far it makes sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove

_STRENGTHS = 9
"""Strengths tried on either side of zero, and zero itself: an odd number."""

_REACH = 4.0
"""How far to try, in standard deviations of the codes along the direction."""

_NEEDED = 0.15
"""A group of layers belongs to a direction if it alone has this share of the whole effect."""

_FLAT = 0.2
"""Where the response's slope falls below this share of the central one, more strength is vain."""

Measure = Callable[[Tensor], Tensor]
"""W+ codes [B, L, D] to one attribute [B]."""


@dataclass(frozen=True)
class Calibration:
    """What a direction does.

    Attributes:
        first_layer, last_layer: layers it needs, both included.
        slope: attribute units per unit of strength, over the central half of the strengths.
        min_strength, max_strength: where the response is still more than flat.
    """

    first_layer: int
    last_layer: int
    slope: float
    min_strength: float
    max_strength: float


def calibrate(codes: Tensor, normal: Tensor, measure: Measure) -> Calibration:
    """Move codes along a direction and measure the attribute.

    Args:
        codes: float32 [N, L, D], where to start from.
        normal: float32 [D], unit norm.
        measure: the attribute of codes.
    """
    deviation = float((codes[:, 0] @ normal).std())
    layers = _needed_layers(codes, normal, measure, deviation)
    strengths = torch.linspace(-_REACH * deviation, _REACH * deviation, _STRENGTHS)
    response = torch.stack([measure(_move(codes, normal, layers, float(s))).mean() for s in strengths])
    quarter = _STRENGTHS // 4
    central = slice(quarter, _STRENGTHS - quarter)
    x = strengths[central]
    slope = float((x * (response[central] - response[central].mean())).sum() / (x * x).sum())
    low, high = _useful_range(strengths, response, slope)
    return Calibration(layers.start, layers.stop - 1, slope, low, high)


def _move(codes: Tensor, normal: Tensor, layers: range, strength: float) -> Tensor:
    """Codes moved as the service moves them."""
    vector = normal.expand(codes.shape[1], -1).numpy()
    direction = Direction("", vector, 0.0, "", layers.start, layers.stop - 1, 0.0, 0.0, 0.0)
    return torch.from_numpy(DirectionMove(direction, (strength,) * len(codes)).apply(codes.numpy()))


def _needed_layers(codes: Tensor, normal: Tensor, measure: Measure, deviation: float) -> range:
    """The smallest run of layers around every third that alone has a share of the effect."""
    count = codes.shape[1]
    cuts = [count * i // 3 for i in range(4)]
    thirds = [range(cuts[i], cuts[i + 1]) for i in range(3)]

    def effect(layers: range) -> float:
        up = measure(_move(codes, normal, layers, deviation)).mean()
        return float(up - measure(_move(codes, normal, layers, -deviation)).mean())

    whole = effect(range(count))
    needed = [third for third in thirds if effect(third) >= _NEEDED * whole]
    if whole <= 0 or not needed:
        return range(count)
    return range(needed[0].start, needed[-1].stop)


def _useful_range(strengths: Tensor, response: Tensor, slope: float) -> tuple[float, float]:
    local = (response[1:] - response[:-1]) / (strengths[1:] - strengths[:-1])
    middle = len(strengths) // 2
    low = high = middle
    while high < len(local) and float(local[high]) >= _FLAT * slope:
        high += 1
    while low > 0 and float(local[low - 1]) >= _FLAT * slope:
        low -= 1
    return float(strengths[low]), float(strengths[high])
