"""Moving points of a space along directions, as the service does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove

Floats = NDArray[np.float32]

Mover = Callable[[Direction, float, Floats], Floats]
"""Points [N, ...] moved along a direction by a strength."""


def along(direction: Direction, strength: float, points: Floats) -> Floats:
    """Moved along the direction's vector."""
    return DirectionMove(direction, (float(strength),) * len(points)).apply(points)


def by_network(network: nn.Module) -> Mover:
    """Moved by a network: codes float32 [N, L, D] and strengths [N, 1] to codes."""

    @torch.no_grad()
    def move(direction: Direction, strength: float, points: Floats) -> Floats:
        strengths = torch.full((len(points), 1), float(strength))
        moved: Floats = network(torch.from_numpy(points), strengths).numpy()
        return moved

    return move
