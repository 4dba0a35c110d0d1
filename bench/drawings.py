"""The demo world's held-out drawings and what may be asked of them, for measurements of methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent_export.analysis.editing import AskedEdit, Ranges, asked_edits
from relatent_export.demo.world import Drawings, draw

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class HeldOut:
    """Held-out drawings.

    Attributes:
        images: uint8 [N, 64, 64, 3].
        factors: what they were drawn from, float32 [N, 16], each in [-1, 1].
    """

    images: Bytes
    factors: Floats

    @classmethod
    def first(cls, count: int, which: Drawings = Drawings.HELD_OUT) -> HeldOut:
        """The first of a set."""
        images, factors = draw(which, count)
        return cls(np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy()), factors.numpy())

    def edits(self, pack: Pack) -> list[AskedEdit]:
        """Every edit of a quarter of a factor's range, up and down, that stays within the range."""
        return asked_edits(pack, self.factors, self.ranges)

    @property
    def ranges(self) -> Ranges:
        """Of the factors: known, not measured."""
        ends = np.ones(self.factors.shape[1], np.float32)
        return Ranges(-ends, ends)
