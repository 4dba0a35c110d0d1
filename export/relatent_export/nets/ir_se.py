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
    """The shape of a backbone; its stages halve the side each.

    Attributes:
        widths: feature maps of the entry, then of each of the four stages.
        units: residual units of each stage.
        channels: of the images.
        reduction: how many times narrower a gate is than the maps that it scales.
    """

    widths: tuple[int, ...]
    units: tuple[int, ...]
    channels: int = 3
    reduction: int = 16

    def __post_init__(self) -> None:
        # JSON, where a pack keeps them, has lists only.
        object.__setattr__(self, "widths", tuple(self.widths))
        object.__setattr__(self, "units", tuple(self.units))
        if len(self.widths) != STAGES + 1:
            raise ValueError(f"widths: expected {STAGES + 1} widths, got {len(self.widths)}")
        if len(self.units) != STAGES or min(self.units) < 1:
            raise ValueError(f"units: expected {STAGES} counts from 1, got {list(self.units)}")
        if not 1 <= self.reduction <= min(self.widths[1:]):
            raise ValueError(f"reduction: expected 1 to {min(self.widths[1:])}, got {self.reduction}")


class Norm(nn.Module):
    """Batch normalisation by the statistics that come with the weights."""

    mean: Tensor
    variance: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, ...] to the same shape."""
        return F.batch_norm(x, self.mean, self.variance, self.weight, self.bias, eps=1e-5)


class IRSE(nn.Module):
    """Images to the feature maps at the end of each stage."""

    def __init__(self, config: IRSEConfig) -> None:
        super().__init__()
        widths = config.widths
        self.entry = nn.Conv2d(config.channels, widths[0], 3, padding=1, bias=False)
        self.entry_norm = Norm(widths[0])
        self.entry_slope = nn.PReLU(widths[0])
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    _Unit(widths[stage + (i > 0)], widths[stage + 1], 2 if i == 0 else 1, config.reduction)
                    for i in range(config.units[stage])
                )
            )
            for stage in range(STAGES)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """[B, C, H, W] to maps of widths[1:] and a half, a quarter, an eighth, a sixteenth of the sides."""
        x = self.entry_slope(self.entry_norm(self.entry(image)))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _Unit(nn.Module):
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
