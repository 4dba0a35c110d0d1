"""What was done to an image that is to be restored: A, which makes the given image of the whole one.

    A(x) = what is known of  C (D_rows B x B D_columns)

B blurs, D averages the areas that become one pixel, and the matrix C mixes colours, pixels in [0, 1]. All but
the mask is linear and keeps rows, columns and colours apart, so two matrices of at most R x R and one of
3 x 3 tell it all. In a refinement graph the given image is compared at the size of whole ones: spread to it
as A of the generator's image is, smoothly, or as squares where a mask parts known from unknown pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.axes import LOST, Axis

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

COLOUR, ROWS, COLUMNS, KNOWN = "colour", "rows", "columns", "mask"
"""Further inputs of a refinement graph that restores (`graph_inputs`)."""
GREY = np.tile([0.299, 0.587, 0.114], (3, 1))
"""The colours of a grey picture, ITU-R BT.601."""


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
    def rows(self) -> Axis:
        """What rows of the given image are made of."""
        return Axis(self.resolution, self.height, self.blur, self.known is not None)

    @cached_property
    def columns(self) -> Axis:
        """What columns of the given image are made of."""
        if self.width == self.height:
            return self.rows
        return Axis(self.resolution, self.width, self.blur, self.known is not None)

    @property
    def changes_pixels(self) -> bool:
        """Whether A leaves no pixel as it is, or only what the mask hides."""
        return self.blur > 0 or self.colour is not None or (self.height, self.width) != (self.resolution,) * 2

    def of(self, image: Pixels) -> Floats:
        """A of an image uint8 [R, R, 3], [height, width, 3] in [0, 1]; unknown pixels too."""
        light = image / 255
        mixed = light if self.colour is None else light @ self.colour.T
        return _separably(mixed, self.rows.matrix, self.columns.matrix)

    def spread(self, given: Pixels) -> Pixels:
        """The given image uint8 [height, width, 3] at the size of the whole one, unknown pixels filled in.

        The mean of the known ones fills them: this is where an encoder looks for a first guess.
        """
        filled = given / 255
        if self.known is not None:
            filled = np.where(self.known[:, :, None], filled, filled[self.known].mean(0))
        return _bytes(_separably(filled, self.rows.spreading, self.columns.spreading))

    def seen(self, image: Pixels, spread: Pixels) -> Pixels:
        """A of an image uint8 [R, R, 3], spread as the given one was, and that itself where it is unknown."""
        again = _bytes(_separably(self.of(image), self.rows.spreading, self.columns.spreading))
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
        rows, columns = self.rows.compared(size), self.columns.compared(size)
        inputs = {COLOUR: colour - np.eye(3), ROWS: rows - np.eye(size), COLUMNS: columns - np.eye(size)}
        return {**{name: value.astype(np.float32) for name, value in inputs.items()}, KNOWN: self._mask}

    def kept(self, image: Pixels, given: Pixels) -> Pixels:
        """An image with what is known put back: the nearest whose A is the given image, where it is known.

        What would be darker than black or brighter than white then is cut off.

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
            missing = missing @ np.linalg.pinv(self.colour, rcond=LOST).T
        return _bytes(image / 255 + _separably(missing, self.rows.inverse, self.columns.inverse))

    def error(self, image: Pixels, given: Pixels) -> float:
        """Mean squared error of A of an image uint8 [R, R, 3] over the known pixels of the given one."""
        away = self.of(image) - given / 255
        return float(np.square(away if self.known is None else away[self.known]).mean())

    @property
    def _mask(self) -> Pixels:
        if self.known is None:
            return np.full((self.resolution, self.resolution), 255, np.uint8)
        white = _separably(255.0 * self.known[:, :, None], self.rows.spreading, self.columns.spreading)
        return white[:, :, 0].astype(np.uint8)


def _separably(image: Floats, rows: Floats | None, columns: Floats | None) -> Floats:
    """An image [h, w, C] with its rows and columns multiplied by matrices; None for the identity."""
    if rows is not None:
        image = np.tensordot(rows, image, 1)
    if columns is not None:
        image = np.moveaxis(np.tensordot(columns, image, (1, 1)), 0, 1)
    return image


def _bytes(image: Floats) -> Pixels:
    return np.asarray((image.clip(0, 1) * 255).round(), np.uint8)
