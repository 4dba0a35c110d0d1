"""Edits confined to a part of an image: blended into what was there before, and how well that hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Region:
    """Where an edit shows.

    Attributes:
        share: of the edited image, 0 to 1, float32 [R, R, 1].
    """

    share: Floats

    @classmethod
    def of(cls, mask: Pixels, feather: float) -> Region:
        """The white of a mask uint8 [R, R], blurred by a Gaussian of so many pixels' standard deviation."""
        blurred = np.asarray(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(feather)))
        return cls(blurred.astype(np.float32)[:, :, None] / 255)

    def blended(self, before: Pixels, edited: Pixels) -> Pixels:
        """Edited images [N, R, R, 3] within the region, and outside it, to the bit, one [R, R, 3]."""
        mixed = before + self.share * (edited.astype(np.float32) - before)
        return np.asarray(mixed.round(), np.uint8)

    def border_errors(self, before: Pixels, after: Pixels) -> list[float]:
        """How visible the region's border is.

        The mean, over neighbouring pixels and weighed by how far the region's share differs between them, of
        how far the change differs between them; 0 to 1, and 0 where there is no border.

        Args:
            before: uint8 [R, R, 3].
            after: [N, R, R, 3], as `blended` made them.
        """
        change = (after.astype(np.float32) - before) / 255
        jumps, weight = np.zeros(len(after), np.float64), 0.0
        for axis in (0, 1):
            border = np.abs(np.diff(self.share, axis=axis))
            weight += float(border.sum())
            jumps += (border * np.abs(np.diff(change, axis=axis + 1)).mean(3, keepdims=True)).sum((1, 2, 3))
        return [float(jump / weight) if weight else 0.0 for jump in jumps]
