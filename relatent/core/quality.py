"""How close an image is to another."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_DECIBELS = 100.0


@dataclass(frozen=True)
class Quality:
    """How close a reconstruction is to its image, both at the pack's resolution.

    Attributes:
        mse: mean squared error over pixels in [0, 1].
        psnr: peak signal-to-noise ratio in dB, at most 100.
        ssim: structural similarity, at most 1 (Wang et al., 2004).
        perceptual: distance in the pack's perceptual features, 0 for equal images; None where it has none.
        identity: cosine between the images' identity embeddings; None where the pack has no such network.
    """

    mse: float
    psnr: float
    ssim: float
    perceptual: float | None
    identity: float | None = None


def decibels(mse: float) -> float:
    """The peak signal-to-noise ratio of a mean squared error over pixels in [0, 1], at most 100 dB."""
    return min(MOST_DECIBELS, -10 * math.log10(mse)) if mse > 0 else MOST_DECIBELS
