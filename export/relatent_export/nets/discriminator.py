"""StyleGAN2's residual discriminator with minibatch standard deviation."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.layers import GAIN, LEAK, EqualizedConv, EqualizedLinear

_GROUP = 4
"""Samples whose spread is measured together (Karras et al. 2018, section 3)."""


class ResidualBlock(nn.Module):
    """Two convolutions and a skip, halving the resolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualizedConv(inputs, inputs, 3)
        self.second = EqualizedConv(inputs, outputs, 3, down=True)
        self.skip = EqualizedConv(inputs, outputs, 1, down=True, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H / 2, W / 2]."""
        y: Tensor = self.second(self.first(x)) + self.skip(x)
        return y * (1 / math.sqrt(2))


class Discriminator(nn.Module):
    """Images to one logit each; positive means real.

    Args:
        channels: feature maps at each resolution from 4 up to the image's.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.entry = EqualizedConv(3, channels[-1], 1)
        self.blocks = nn.ModuleList(
            ResidualBlock(channels[level], channels[level - 1]) for level in range(len(channels) - 1, 0, -1)
        )
        self.last = EqualizedConv(channels[0] + 1, channels[0], 3)
        self.dense = EqualizedLinear(channels[0] * 16, channels[0])
        self.logit = EqualizedLinear(channels[0], 1)

    def forward(self, image: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Judge images.

        Args:
            image: float32 [B, 3, R, R] in [-1, 1]; B a multiple of 4, or below 4.
            dtype: of the feature maps above 4 x 4.

        Returns:
            float32 [B, 1].
        """
        x = image.to(dtype)
        if dtype is torch.bfloat16:
            x = x.contiguous(memory_format=torch.channels_last)
        x = self.entry(x)
        for block in self.blocks:
            x = block(x)
        x = self.last(torch.cat([x.float(), _minibatch_deviation(x.float())], 1))
        x = F.leaky_relu(self.dense(x.flatten(1)), LEAK) * GAIN
        logit: Tensor = self.logit(x)
        return logit


def _minibatch_deviation(x: Tensor) -> Tensor:
    """One more feature map: how much the samples of a group differ, [B, 1, H, W]."""
    batch, _, height, width = x.shape
    group = min(_GROUP, batch)
    spread = x.reshape(group, -1, *x.shape[1:]).var(0, unbiased=False).add(1e-8).sqrt()
    return spread.mean((1, 2, 3), keepdim=True).repeat(group, 1, height, width)
