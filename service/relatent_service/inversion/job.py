"""What is asked of an inversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent_service.inversion.refinement import Checkpoint
from relatent_service.inversion.stopping import StopRules

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class Start(Enum):
    """Where to start, unless at a given code or checkpoint."""

    ENCODER = "encoder"
    MEAN = "mean"


@dataclass(frozen=True)
class Job:
    """What to invert, from where, and how far.

    Attributes:
        pack: to invert into.
        image: uint8 [R, R, 3].
        mask: uint8 [R, R]; 255 counts fully.
        start: a rule, a code float32 [L, D], or a checkpoint.
        rules: when to end.
        learning_rate: Adam's step size.
        weights: of every term of the objective.
        preview_every, checkpoint_every: send one with every n-th report; 0 for never.
        images_after: to make of the result before the call is answered, for which time is kept back.
        field: path of the request's options, for errors.
    """

    pack: Pack
    image: Pixels
    mask: Pixels
    start: Start | Floats | Checkpoint
    rules: StopRules
    learning_rate: float
    weights: Mapping[str, float]
    preview_every: int = 0
    checkpoint_every: int = 0
    images_after: int = 0
    field: str = "options"

    @property
    def steps_before(self) -> int:
        """Steps that its start has done already."""
        return len(self.start.losses) if isinstance(self.start, Checkpoint) else 0
