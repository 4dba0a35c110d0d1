"""The judge: a second network that reads attributes off images, which no method ever sees.

What a method minimises, it can please without being right. So reports read their figures off a network of
another kind than `AttributeNetwork`: pre-activation residual blocks (He et al., "Identity Mappings in Deep
Residual Networks", 2016) with group normalisation (Wu and He 2018), GELU, and average pooling. It is never
exported, so that it need not be cheap in a gradient graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_GROUP = 8
"""Feature maps that are normalised together."""

_ENTRY = 2
"""What the first convolution divides the resolution by."""


@dataclass(frozen=True)
class JudgeConfig:
    """The shape of a judge.

    Attributes:
        attributes: how many outputs.
        resolution: height and width of the images in pixels: 2 to the power of the stages, or a multiple.
        channels: feature maps of each stage, from half size down; multiples of 8.
    """

    attributes: int = 16
    resolution: int = 64
    channels: tuple[int, ...] = (32, 64, 96, 128)

    def __post_init__(self) -> None:
        least = 2 ** len(self.channels)
        if self.resolution < least or self.resolution % least:
            raise ValueError(f"resolution: expected a multiple of {least}, got {self.resolution}")
        if not self.channels or any(count % _GROUP for count in self.channels):
            raise ValueError(f"channels: expected multiples of {_GROUP}, got {self.channels}")

    @property
    def coarsest(self) -> int:
        """Height and width of the last feature maps."""
        return int(self.resolution // 2 ** len(self.channels))


class Judge(nn.Module):
    """Images to attributes.

    Args:
        config: its shape.
    """

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.entry = nn.Conv2d(3, channels[0], 2 * _ENTRY, stride=_ENTRY, padding=1)
        inputs = (channels[0], *channels[:-1])
        self.blocks = nn.ModuleList(_Block(i, o) for i, o in zip(inputs, channels, strict=True))
        self.norm = nn.GroupNorm(channels[-1] // _GROUP, channels[-1])
        self.output = nn.Linear(channels[-1] * config.coarsest**2, config.attributes)

    def forward(self, image: Tensor) -> Tensor:
        """Measure attributes.

        Args:
            image: float [B, 3, R, R] in [-1, 1].

        Returns:
            float [B, attributes]; the demo's factors lie in [-1, 1].
        """
        x = self.entry(image.contiguous(memory_format=torch.channels_last))
        for index, block in enumerate(self.blocks):
            x = block(F.avg_pool2d(x, 2) if index else x)
        # Not to one number a map: where something stands is half of what yaw, pitch and width are.
        x = F.gelu(self.norm(x))
        output: Tensor = self.output(x.flatten(1))
        return output


class _Block(nn.Module):
    """Twice normalise, activate and convolve, beside a skip."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(count // _GROUP, count) for count in (inputs, outputs))
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(F.gelu(self.norms[0](x)))
        y = self.second(F.gelu(self.norms[1](y)))
        return torch.add(self.skip(x), y)
