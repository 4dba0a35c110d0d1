"""What drawings are put through in training, so that networks do not break on what is no drawing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def soften(image: Tensor, noise: float, random: torch.Generator) -> Tensor:
    """Soften a quarter of the batch and add noise to half of it, in place.

    Args:
        image: float32 [B, 3, R, R].
        noise: its standard deviation.
        random: where the noise comes from.
    """
    quarter = len(image) // 4
    image[:quarter] = F.interpolate(
        F.avg_pool2d(image[:quarter], 2), scale_factor=2, mode="bilinear", align_corners=False
    ).lerp(image[:quarter], 0.5)
    half = len(image) // 2
    image[half:] += torch.randn(image[half:].shape, generator=random) * noise
    return image
