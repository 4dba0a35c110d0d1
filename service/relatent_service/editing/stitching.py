"""A part of one image put into another, before the generator makes one image of them and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent_service.editing.region import Region

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Stitched:
    """A target's region in a context.

    Attributes:
        target: whose region is kept, uint8 [R, R, 3].
        context: what the rest follows, of the same shape.
        sharp: the region as it was given.
        soft: the same, feathered.
    """

    target: Pixels
    context: Pixels
    sharp: Region
    soft: Region

    @classmethod
    def of(cls, target: Pixels, context: Pixels, mask: Pixels, feather: float) -> Stitched:
        """By a mask uint8 [R, R], white where the target is kept, and the deviation of its blur in pixels."""
        return cls(target, context, Region.of(mask, 0.0), Region.of(mask, feather))

    @property
    def image(self) -> Pixels:
        """The two as they are, side by side at the region's border, uint8 [R, R, 3]."""
        return self._joined(self.sharp)

    @property
    def mask(self) -> Pixels:
        """Where the stitched image counts: within the region, uint8 [R, R]."""
        return np.asarray((255 * self.sharp.share[:, :, 0]).round(), np.uint8)

    def blended(self, made: Pixels) -> Pixels:
        """What was given, to the bit, but over the soft border, where it is an image made of both.

        That image's share is 4 s (1 - s), where s is the soft region's: 1 at the border, 0 where s is 0 or 1.
        """
        share = self.soft.share
        given = self._joined(self.soft)
        mixed = given + 4 * share * (1 - share) * (made.astype(np.float32) - given)
        return np.asarray(mixed.round(), np.uint8)

    def border_error(self, image: Pixels) -> float:
        """How visible the sharp border is in an image, by its change from the context: 0 to 1."""
        return self.sharp.border_errors(self.context, image[None])[0]

    def _joined(self, region: Region) -> Pixels:
        joined: Pixels = region.blended(self.context, self.target[None])[0]
        return joined
