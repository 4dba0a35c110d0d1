"""What happens to an image along one of its sides: blurs, averages and their undoing, as matrices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOST = 0.02
"""Of a matrix's largest singular value: what it keeps less of is lost for good."""


@dataclass(frozen=True, eq=False)
class Axis:
    """A blur, then averaging, along the rows or the columns of an image.

    Attributes:
        resolution: R, pixels before.
        side: pixels after, at most R.
        blur: standard deviation of the Gaussian, in pixels before; 0 for none.
        squares: whether what is averaged is spread as squares, and not smoothly: so that no pixel has of
            two.
    """

    resolution: int
    side: int
    blur: float
    squares: bool

    @cached_property
    def matrix(self) -> Floats | None:
        """What is done, [side, R]; None for nothing."""
        if self.side == self.resolution and not self.blur:
            return None
        return averaging(self.side, self.resolution) @ blurring(self.resolution, self.blur)

    @cached_property
    def inverse(self) -> Floats | None:
        """What undoes it with the least change, [R, side], but for what is lost; None for nothing."""
        return None if self.matrix is None else np.linalg.pinv(self.matrix, rcond=LOST)

    @cached_property
    def spreading(self) -> Floats | None:
        """What brings it to R pixels again for looks, [R, side]; None for nothing."""
        if self.side == self.resolution:
            return None
        return (repeating if self.squares else interpolating)(self.resolution, self.side)

    def compared(self, size: int) -> Floats:
        """What is done and spread, of images that were averaged down to a size, [size, size]."""
        blurred = blurring(size, self.blur * size / self.resolution)
        if self.spreading is None:
            return blurred
        shown: Floats = (
            averaging(size, self.resolution) @ self.spreading @ averaging(self.side, size) @ blurred
        )
        return shown


def averaging(outputs: int, inputs: int) -> Floats:
    """The mean of what each pixel covers, as a matrix [outputs, inputs]; pixels may cover parts of others."""
    edges = np.linspace(0, inputs, outputs + 1)
    first, last = edges[:-1, None], edges[1:, None]
    places = np.arange(inputs)
    covered = np.clip(np.minimum(last, places + 1) - np.maximum(first, places), 0, None)
    shares: Floats = covered / covered.sum(1, keepdims=True)
    return shares


def interpolating(outputs: int, inputs: int) -> Floats:
    """Linear interpolation between the centres of pixels, as a matrix [outputs, inputs]."""
    centres = np.clip((np.arange(outputs) + 0.5) * inputs / outputs - 0.5, 0, inputs - 1)
    shares: Floats = np.clip(1 - np.abs(centres[:, None] - np.arange(inputs)), 0, None)
    return shares


def repeating(outputs: int, inputs: int) -> Floats:
    """Each pixel's nearest, as a matrix [outputs, inputs]."""
    nearest = ((np.arange(outputs) + 0.5) * inputs / outputs).astype(int)
    chosen: Floats = np.eye(inputs)[nearest]
    return chosen


def blurring(side: int, deviation: float) -> Floats:
    """A Gaussian of a standard deviation in pixels, as a matrix [side, side]; the border repeats."""
    if deviation == 0:
        return np.eye(side)
    reach = int(np.ceil(4 * deviation))
    steps = np.arange(-reach, reach + 1)
    kernel = np.exp(-np.square(steps / deviation) / 2)
    matrix = np.zeros((side, side))
    places = np.arange(side)
    for step, share in zip(steps, kernel / kernel.sum(), strict=True):
        matrix[places, np.clip(places + step, 0, side - 1)] += share
    return matrix
