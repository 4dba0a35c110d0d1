"""Measures of a reconstruction: MSE, PSNR and SSIM on [0, 1] pixels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

PSNR_LIMIT = 100.0
"""Highest PSNR reported, in dB: equal images would have an infinite one."""

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def mean_squared_error(a: Tensor, b: Tensor) -> Tensor:
    """MSE of images [B, 3, H, W] in [0, 1]; returns [B]."""
    difference = a - b
    return (difference * difference).mean((1, 2, 3))


def psnr(mse: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB for a peak of 1, at most `PSNR_LIMIT`."""
    floor = 10 ** (-PSNR_LIMIT / 10)
    return torch.log(mse.clamp(min=floor)) * (-10 / math.log(10))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004), averaged over colours and positions.

    A Gaussian window of 11 pixels and deviation 1.5, without padding.

    Args:
        a: [B, 3, H, W] in [0, 1], at least 11 pixels on a side.
        b: the same.

    Returns:
        [B], at most 1.
    """
    taps = torch.exp(-((torch.arange(_WINDOW) - _WINDOW // 2) ** 2) / (2 * _SIGMA**2))
    taps = taps / taps.sum()
    window = (taps[:, None] * taps[None, :]).expand(3, 1, _WINDOW, _WINDOW).contiguous()

    def blur(x: Tensor) -> Tensor:
        return F.conv2d(x, window, groups=3)

    mean_a, mean_b = blur(a), blur(b)
    variance_a = blur(a * a) - mean_a * mean_a
    variance_b = blur(b * b) - mean_b * mean_b
    covariance = blur(a * b) - mean_a * mean_b
    similarity = ((2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)) / (
        (mean_a * mean_a + mean_b * mean_b + _C1) * (variance_a + variance_b + _C2)
    )
    return similarity.mean((1, 2, 3))
