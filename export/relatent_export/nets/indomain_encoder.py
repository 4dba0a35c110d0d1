"""The in-domain encoder: a residual network down to 4 x 4 maps and one linear layer to all of W+.

Published in Zhu et al., "In-Domain GAN Inversion for Real Image Editing" (2020). Networks of this
family are imported, never trained here: their batch normalisation is multiplied into the weights at
import, and what is left are plain convolutions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.resampling import area_downsample

_LEAK = 0.2


@dataclass(frozen=True)
class InDomainConfig:
    """The shape of an encoder.

    Attributes:
        resolution: of the images, a power of two from 8.
        layers: L of the W+ code.
        width: of w.
        channels: feature maps at each resolution from `resolution` down to 4.
    """

    resolution: int
    layers: int
    width: int
    channels: tuple[int, ...]

    def __post_init__(self) -> None:
        levels = int(math.log2(self.resolution)) - 1
        if 2 ** (levels + 1) != self.resolution or levels < 2:
            raise ValueError(f"resolution: expected a power of two from 8, got {self.resolution}")
        if len(self.channels) != levels:
            raise ValueError(f"channels: expected {levels} counts, got {len(self.channels)}")


class InDomainEncoder(nn.Module):
    """Images to W+ codes."""

    def __init__(self, config: InDomainConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.entry = nn.Conv2d(3, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList(_Block(channels[i], channels[i + 1]) for i in range(len(channels) - 1))
        self.dense = nn.Linear(channels[-1] * 16, config.layers * config.width)

    @property
    def resolution(self) -> int:
        """Height and width of the images in pixels."""
        return self.config.resolution

    def forward(self, image: Tensor) -> Tensor:
        """Encode.

        Args:
            image: float [B, 3, R, R] in [-1, 1].

        Returns:
            w, float32 [B, L, D].
        """
        x = F.leaky_relu(self.entry(image), _LEAK)
        for block in self.blocks:
            x = block(area_downsample(x, x.shape[3] // 2))
        w: Tensor = self.dense(x.flatten(1)).float()
        return w.reshape(-1, self.config.layers, self.config.width)


class _Block(nn.Module):
    """Two activated convolutions, added to the input, or to an activated projection of it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        hidden = min(inputs, outputs)
        self.first = nn.Conv2d(inputs, hidden, 3, padding=1)
        self.second = nn.Conv2d(hidden, outputs, 3, padding=1)
        self.shortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H, W]."""
        kept = x if self.shortcut is None else F.leaky_relu(self.shortcut(x), _LEAK)
        x = F.leaky_relu(self.first(x), _LEAK)
        return F.leaky_relu(self.second(x), _LEAK) + kept
