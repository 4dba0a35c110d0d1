"""Changing the size of images in ways that export well: no gathers, no resizing operators."""

from __future__ import annotations

import torch
from torch import Tensor


def area_downsample(image: Tensor, size: int) -> Tensor:
    """Average square blocks, as the field does before it compares images.

    Args:
        image: [B, C, R, R].
        size: of the result, a divisor of R.

    Returns:
        [B, C, size, size]; the image itself if it has that size.
    """
    batch, channels, _, width = image.shape
    block = width // size
    if block == 1:
        return image
    return image.reshape(batch, channels, size, block, size, block).mean((3, 5))


def averaging(inputs: int, outputs: int) -> Tensor:
    """Adaptive average pooling along one axis, as a matrix [outputs, inputs] to multiply by.

    Windows cover all inputs, and neighbours share one where the sizes do not divide.
    """
    rows = []
    for i in range(outputs):
        first, last = i * inputs // outputs, -(-(i + 1) * inputs // outputs)
        rows.append([1 / (last - first) if first <= j < last else 0.0 for j in range(inputs)])
    return torch.tensor(rows)
