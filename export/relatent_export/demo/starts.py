"""Inversions of many images from one kind of start, and how many steps they take to be good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from relatent_export.analysis.refining import Bytes, ExportedPack, ExportedRefinement, Floats
from relatent_export.progress import progress

_BATCH = 16
_Item = TypeVar("_Item", bound=np.generic)


@dataclass(frozen=True)
class MeanQuality:
    """Means over the images.

    Attributes:
        mse: of pixels in [0, 1].
        perceptual: distance.
    """

    mse: float
    perceptual: float


class RefinedSet:
    """All images from one kind of start, refined together.

    Args:
        exported: the pack's graphs.
        codes: where to start, [N, L, D].
        targets: [N, R, R, 3].
        learning_rate: Adam's step size.

    Attributes:
        starts: `codes` as they were given.
        steps: done so far.
    """

    def __init__(self, exported: ExportedPack, codes: Floats, targets: Bytes, learning_rate: float) -> None:
        self._exported, self._chunk = exported, exported.pack.default_method.max_steps
        self.starts, self._targets = codes, _batches(targets)
        pairs = zip(_batches(codes), self._targets, strict=True)
        self._refinements = [ExportedRefinement(exported, *pair, learning_rate) for pair in pairs]
        self.steps = 0

    def advance(self, steps: int) -> None:
        """Do so many steps."""
        for refinement in self._refinements:
            refinement.advance(steps)
        self.steps += steps

    @property
    def codes(self) -> Floats:
        """The best codes so far, [N, L, D]."""
        return np.concatenate([refinement.codes for refinement in self._refinements])

    def quality(self) -> MeanQuality:
        """Of the best codes so far."""
        pairs = zip(_batches(self.codes), self._targets, strict=True)
        found = [self._exported.assess(*pair) for pair in pairs]
        mse, perceptual = (
            float(np.concatenate([part[name] for part in found]).mean()) for name in ("mse", "perceptual")
        )
        return MeanQuality(mse, perceptual)

    def advance_until(self, perceptual: float, most: int) -> int | None:
        """Go on until the perceptual distance is reached, or to `most` steps.

        Looks after every call of the graph, then step by step in the one in which it was reached.

        Returns:
            The steps at which it was reached; None if it was not.
        """
        with progress(desc="refining", total=most, initial=self.steps, leave=False) as bar:
            while self.steps < most:
                before, states = self.steps, [refinement.state for refinement in self._refinements]
                self.advance(min(self._chunk, most - before))
                bar.update(self.steps - before)
                if self.quality().perceptual <= perceptual:
                    self.steps = before
                    for refinement, state in zip(self._refinements, states, strict=True):
                        refinement.rewind(state, before)
                    return self._step_until(perceptual)
        return None

    def _step_until(self, perceptual: float) -> int:
        while True:
            self.advance(1)
            if self.quality().perceptual <= perceptual:
                return self.steps


def _batches(samples: NDArray[_Item]) -> list[NDArray[_Item]]:
    return [samples[at : at + _BATCH] for at in range(0, len(samples), _BATCH)]
