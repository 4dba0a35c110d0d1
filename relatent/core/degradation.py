"""What was done to an image that is to be restored: A, which makes the given image of the whole one.

    A(x) = what is known of  C (D_rows B x B D_columns)

B blurs, D averages the areas that become one pixel, and the matrix C mixes colours, pixels in [0, 1]. All but
the mask is linear and keeps rows, columns and colours apart, so two matrices of at most R x R and one of
3 x 3 tell it all. In a refinement graph the given image is compared at the size of whole ones: spread to it
bilinearly, as A of the generator's image is by the same matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

COLOUR, ROWS, COLUMNS, KNOWN = "colour", "rows", "columns", "mask"
"""Further inputs of a refinement graph that restores (`graph_inputs`)."""
GREY = np.tile([0.299, 0.587, 0.114], (3, 1))
"""The colours of a grey picture, ITU-R BT.601."""

_LEAST = 0.02
"""Of a matrix's largest singular value: what it keeps less of is lost for good."""
_TOUCH = 1e-3
"""Shares of pixels below this are rounding."""


@dataclass(frozen=True, eq=False)
class Degradation:
    """A.

    Attributes:
        resolution: R, height and width of the whole image in pixels.
        height, width: of the given one, each at most R.
        blur: standard deviation of the Gaussian, in pixels of the whole image; 0 for none.
        colour: C, [3, 3], a row for each colour of the given image.
        known: bool [height, width], where the given image counts; None for everywhere.
    """

    resolution: int
    height: int
    width: int
    blur: float = 0.0
    colour: Floats | None = None
    known: NDArray[np.bool_] | None = None

    @cached_property
    def rows(self) -> Floats:
        """What rows of the given image are made of, [height, R]."""
        return self._along(self.height)

    @cached_property
    def columns(self) -> Floats:
        """What columns of the given image are made of, [width, R]."""
        return self._along(self.width)

    @property
    def changes_pixels(self) -> bool:
        """Whether A leaves no pixel as it is, or only what the mask hides."""
        return self.blur > 0 or self.colour is not None or (self.height, self.width) != (self.resolution,) * 2

    def of(self, image: Pixels) -> Floats:
        """A of an image uint8 [R, R, 3], [height, width, 3] in [0, 1]; unknown pixels too."""
        return self._linear(image / 255)

    def spread(self, given: Pixels) -> Pixels:
        """The given image uint8 [height, width, 3] at the size of the whole one, unknown pixels filled in.

        The mean of the known ones fills them: this is where an encoder looks for a first guess.
        """
        filled = given / 255
        if self.known is not None:
            filled = np.where(self.known[:, :, None], filled, filled[self.known].mean(0))
        rows, columns = (interpolating(self.resolution, side) for side in given.shape[:2])
        return _bytes(_separably(filled, rows, columns))

    def seen(self, image: Pixels, spread: Pixels) -> Pixels:
        """A of an image uint8 [R, R, 3], spread as the given one was, and that itself where it is unknown."""
        rows, columns = (interpolating(self.resolution, side) for side in (self.height, self.width))
        again = _bytes(_separably(self.of(image), rows, columns))
        return np.where(self._mask[:, :, None] > 0, again, spread)

    def graph_inputs(self, size: int) -> Mapping[str, NDArray[Any]]:
        """A as refinement graphs take it that compare images of a size, without the batch axis.

        Args:
            size: S.

        Returns:
            `colour` float32 [3, 3], and `rows` and `columns` float32 [S, S]: each less the identity, so
            that zeros change nothing. `mask` uint8 [R, R]: 255 where the spread image is known.
        """
        colour = np.eye(3) if self.colour is None else self.colour
        rows, columns = (self._compared(side, size) for side in (self.height, self.width))
        inputs = {COLOUR: colour - np.eye(3), ROWS: rows - np.eye(size), COLUMNS: columns - np.eye(size)}
        return {**{name: value.astype(np.float32) for name, value in inputs.items()}, KNOWN: self._mask}

    def kept(self, image: Pixels, given: Pixels) -> Pixels:
        """An image with what is known put back: the nearest whose A is the given image, where it is known.

        Args:
            image: uint8 [R, R, 3].
            given: uint8 [height, width, 3].

        Returns:
            uint8 [R, R, 3]; of a blur, what it left next to nothing of is not put back.
        """
        missing = given / 255 - self.of(image)
        if self.known is not None:
            missing = missing * self.known[:, :, None]
        if self.colour is not None:
            missing = missing @ np.linalg.pinv(self.colour, rcond=_LEAST).T
        rows, columns = (np.linalg.pinv(each, rcond=_LEAST) for each in (self.rows, self.columns))
        return _bytes(image / 255 + _separably(missing, rows, columns))

    def error(self, image: Pixels, given: Pixels) -> float:
        """Mean squared error of A of an image uint8 [R, R, 3] over the known pixels of the given one."""
        away = self.of(image) - given / 255
        return float(np.square(away if self.known is None else away[self.known]).mean())

    @property
    def _mask(self) -> Pixels:
        if self.known is None:
            return np.full((self.resolution, self.resolution), 255, np.uint8)
        rows, columns = (interpolating(self.resolution, side) for side in self.known.shape)
        unknown = rows @ (~self.known) @ columns.T
        return np.where(unknown > _TOUCH, 0, 255).astype(np.uint8)

    def _linear(self, image: Floats) -> Floats:
        mixed = image if self.colour is None else image @ self.colour.T
        return _separably(mixed, self.rows, self.columns)

    def _along(self, side: int) -> Floats:
        return averaging(side, self.resolution) @ blurring(self.resolution, self.blur)

    def _compared(self, side: int, size: int) -> Floats:
        """What A does along an axis of images that were averaged down to a size, spread to it again."""
        blurred = blurring(size, self.blur * size / self.resolution)
        if side == self.resolution:
            return blurred
        spread = averaging(size, self.resolution) @ interpolating(self.resolution, side)
        return spread @ averaging(side, size) @ blurred


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


def _separably(image: Floats, rows: Floats, columns: Floats) -> Floats:
    made: Floats = np.einsum("ih,hwc,jw->ijc", rows, image, columns, optimize=True)
    return made


def _bytes(image: Floats) -> Pixels:
    return np.asarray((image.clip(0, 1) * 255).round(), np.uint8)
