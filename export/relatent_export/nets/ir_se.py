"""IR-SE: the residual network that faces are recognised with, and that the pSp family encodes images with.

    x -> norm -> 3x3 -> PReLU -> 3x3, strided -> norm -> squeeze and excite -> + x, as large

Improved residual units as in Deng et al., "ArcFace" (2019), with the channel gates of Hu et al.,
"Squeeze-and-Excitation Networks" (2018). Networks of this family are imported, never trained here:
normalisation uses the statistics that come with the weights, always.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STAGES = 4


@dataclass(frozen=True)
class IRSEConfig:
    """The shape of a backbone; its stages halve the resolution each.

    Attributes:
        channels: feature maps of the entry, then of each of the four stages.
        units: residual units of each stage.
        image_channels: of the images.
        reduction: how many times narrower a gate is than the maps that it scales.
    """

    channels: tuple[int, ...]
    units: tuple[int, ...]
    image_channels: int = 3
    reduction: int = 16

    def __post_init__(self) -> None:
        # JSON, where a pack keeps them, has lists only.
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "units", tuple(self.units))
        if len(self.channels) != STAGES + 1:
            raise ValueError(f"channels: expected {STAGES + 1} counts, got {len(self.channels)}")
        if len(self.units) != STAGES or min(self.units) < 1:
            raise ValueError(f"units: expected {STAGES} counts from 1, got {list(self.units)}")
        if not 1 <= self.reduction <= min(self.channels[1:]):
            raise ValueError(f"reduction: expected 1 to {min(self.channels[1:])}, got {self.reduction}")


class Norm(nn.Module):
    """Batch normalisation by the statistics that come with the weights."""

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, ...] to the same shape."""
        return F.batch_norm(x, self.mean, self.variance, self.weight, self.bias, eps=1e-5)


class IRSE(nn.Module):
    """Images to the feature maps at the end of each stage."""

    def __init__(self, config: IRSEConfig) -> None:
        super().__init__()
        channels = config.channels
        self.entry = nn.Conv2d(config.image_channels, channels[0], 3, padding=1, bias=False)
        self.entry_norm = Norm(channels[0])
        self.entry_slope = nn.PReLU(channels[0])
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    _GatedUnit(
                        channels[stage + (i > 0)], channels[stage + 1], 2 if i == 0 else 1, config.reduction
                    )
                    for i in range(config.units[stage])
                )
            )
            for stage in range(STAGES)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """[B, C, H, W] to maps of channels[1:], of 1/2, 1/4, 1/8 and 1/16 of the height and the width."""
        x = self.entry_slope(self.entry_norm(self.entry(image)))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _GatedUnit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, reduction: int) -> None:
        super().__init__()
        self.stride = stride
        self.norm_in = Norm(inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.slope = nn.PReLU(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm_out = Norm(outputs)
        self.squeeze = nn.Linear(outputs, outputs // reduction, bias=False)
        self.excite = nn.Linear(outputs // reduction, outputs, bias=False)
        self.shortcut = None
        if inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), Norm(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm_out(self.second(self.slope(self.first(self.norm_in(x)))))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3))))))
        if self.shortcut is not None:
            x = self.shortcut(x)
        elif self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return y * gate[:, :, None, None] + x
