"""ResNet-34 without its pooling and classifier: what ReStyle encodes images other than faces with.

    x -> 3x3, strided -> norm -> ReLU -> 3x3 -> norm -> + x, as large -> ReLU

He et al., "Deep Residual Learning for Image Recognition" (2016); the entry's ReLU is a PReLU and no
max pooling follows it, as in Alaluf et al., "ReStyle" (2021).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.ir_se import STAGES, Norm


class ResNet(nn.Module):
    """Images to the feature maps at the end of each stage.

    Args:
        channels: feature maps of the entry, then of each of the four stages.
        units: residual units of each stage.
        image_channels: of the images.
    """

    def __init__(self, channels: tuple[int, ...], units: tuple[int, ...], image_channels: int) -> None:
        super().__init__()
        self.entry = nn.Conv2d(image_channels, channels[0], 7, stride=2, padding=3, bias=False)
        self.entry_norm = Norm(channels[0])
        self.entry_slope = nn.PReLU(channels[0])
        self.stages = nn.ModuleList()
        for stage in range(STAGES):
            # The entry has halved the resolution for the first stage.
            strides = [1 if stage == 0 else 2] + [1] * (units[stage] - 1)
            self.stages.append(
                nn.Sequential(
                    *(
                        _ResidualUnit(channels[stage + (i > 0)], channels[stage + 1], stride)
                        for i, stride in enumerate(strides)
                    )
                )
            )

    def forward(self, image: Tensor) -> list[Tensor]:
        """[B, C, H, W] to maps of channels[1:], of 1/2, 1/4, 1/8 and 1/16 of the height and the width."""
        x = self.entry_slope(self.entry_norm(self.entry(image)))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _ResidualUnit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.first_norm = Norm(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = Norm(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), Norm(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.second_norm(self.second(F.relu(self.first_norm(self.first(x)))))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))
