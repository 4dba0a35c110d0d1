"""Mean derivatives of what images read, by the points of a space that they are made of."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from relatent_export.progress import progress

_ROWS = 16
"""Derivatives that are taken at once."""


def mean_derivative(outputs: Callable[[Tensor], Tensor], points: Tensor, count: int, what: str) -> Tensor:
    """The mean over points of the derivative of outputs by the point.

    Args:
        outputs: points [B, ...] to [B, count], each row of its own point.
        points: float32 [N, ...].
        count: of the outputs.
        what: is done, to be shown while it is.

    Returns:
        float32 [count, ...].
    """
    total = torch.zeros(count, *points.shape[1:])
    for point in progress(points, what, unit="point", leave=False):
        for first in range(0, count, _ROWS):
            rows = range(first, min(first + _ROWS, count))
            # As many copies of the point as there are rows: each one's derivative is of its own output.
            copies = point.expand(len(rows), *point.shape).clone().requires_grad_(True)
            own = outputs(copies)[:, first : rows.stop].diagonal().sum()
            total[rows.start : rows.stop] += torch.autograd.grad(own, copies)[0]
    return total / len(points)
