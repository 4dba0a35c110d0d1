"""What directions do, as a pack's attribute network reads it: what they move, how far, and what they leak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relatent.core.attributes import Attribute
from relatent.core.directions import Direction
from relatent_export.directions.calibration import calibrated
from relatent_export.directions.moving import Mover, along

Floats = NDArray[np.float32]

SHARE = 0.25
"""Of an attribute's range: how far it is moved to see what else moves."""

_SMALL = 0.05
"""Of a range, about, by which a direction's strongest attribute is moved to tell which one that is."""
_BATCH = 16


@dataclass(frozen=True)
class Ruler:
    """What directions are measured with.

    Attributes:
        attributes: with ranges.
        read: points of the directions' space to readings [N, A].
        points: where to start from, float32 [N, L, D], or [N, 1, Z] of Z.
        move: moves them along a direction.
    """

    attributes: Sequence[Attribute]
    read: Callable[[Floats], Floats]
    points: Floats
    move: Mover = along

    def measured(self, direction: Direction) -> Direction:
        """A direction with its attribute, its calibration and what it leaks.

        One whose attribute is not known gets the one that it moves most, as a share of its range; one that
        moves none that is read here stays as it is.
        """
        names = [attribute.name for attribute in self.attributes]
        if direction.attribute not in names:
            if direction.attribute:
                return direction
            direction = self._named(direction)
        place = names.index(direction.attribute)
        width = self.attributes[place].width

        def measure(points: Tensor) -> Tensor:
            return torch.from_numpy(self._readings(points.numpy())[:, place])

        found = calibrated(direction, torch.from_numpy(self.points), measure, width, self.move)
        if _tells_range(direction):
            found = replace(found, min_strength=direction.min_strength, max_strength=direction.max_strength)
        if found.calibration == 0:
            return found
        return replace(found, leak=round(self._leak(found, place), 4))

    def _named(self, direction: Direction) -> Direction:
        """By what it moves most; one that has no side of its own comes to point to more of that."""
        strength = 1.0
        for _ in range(2):  # the first strength is a guess
            changes = (self._change(direction, strength) - self._change(direction, -strength)) / 2
            shares = changes.mean(0) / self._widths
            place = int(np.abs(shares).argmax())
            strength *= _SMALL / max(abs(float(shares[place])), 1e-6)
        direction = replace(direction, attribute=self.attributes[place].name)
        if _tells_range(direction) or shares[place] * self.attributes[place].scale >= 0:
            return direction
        return replace(direction, vector=-direction.vector, bias=-direction.bias)

    def _leak(self, direction: Direction, place: int) -> float:
        strength = SHARE * self._widths[place] / abs(direction.calibration)
        changes = np.concatenate([self._change(direction, sign * strength) for sign in (1, -1)])
        others = np.delete(np.abs(changes) / self._widths, place, axis=1)
        return 100 * float(others.mean()) if others.size else 0.0

    def mean_shares(self, direction: Direction, strength: float) -> NDArray[np.float64]:
        """How far a strength changes each attribute on average, in shares of their ranges, [A]."""
        changes: NDArray[np.float64] = self._change(direction, strength).mean(0) / self._widths
        return changes

    def _change(self, direction: Direction, strength: float) -> Floats:
        return self._readings(self.move(direction, float(strength), self.points)) - self._before

    def _readings(self, points: Floats) -> Floats:
        chunks = np.array_split(points, max(1, -(-len(points) // _BATCH)))
        return np.concatenate([self.read(np.ascontiguousarray(chunk)) for chunk in chunks])

    @cached_property
    def _before(self) -> Floats:
        return self._readings(self.points)

    @property
    def _widths(self) -> NDArray[np.float64]:
        return np.array([attribute.width for attribute in self.attributes])


def _tells_range(direction: Direction) -> bool:
    """Whether its finder says how far strengths go, and so which way."""
    return direction.min_strength < direction.max_strength
