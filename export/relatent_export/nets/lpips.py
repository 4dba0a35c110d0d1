"""LPIPS: how different two images look, by the feature maps of a published network.

Published in Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric"
(2018). The maps are those of VGG16 (Simonyan and Zisserman 2015) after the last ReLU of each stage, or
of AlexNet (Krizhevsky 2014) after each ReLU. Vectors of features are scaled to unit length, subtracted
and squared; linear weights, one a channel and none negative, say how much each matters to the eye.
Networks of this kind are imported, never trained here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.perceptual import perceptual_distance

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""What LPIPS takes from pixels in [-1, 1] and divides them by: ImageNet's mean and standard deviation."""

_EPSILON = 1e-12
"""Added to a vector's squared length. The published formula adds 1e-10 to the length instead, and at
zero its gradient is not a number. Ours is finite there, and the same to 1e-4 from lengths of 1e-4 on:
what is shorter by far is a rounding error, or zero, and its direction says nothing."""


class Stack(StrEnum):
    """Whose convolutions make the feature maps."""

    VGG16 = "vgg16"
    ALEXNET = "alexnet"


@dataclass(frozen=True)
class _StackStage:
    """A max pool, where `pool` is the size of its windows, then convolutions with ReLUs; compared after."""

    convolutions: int = 1
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    pool: int = 0


_POOL_STRIDE = 2
_STAGES = {
    Stack.VGG16: (_StackStage(2), _StackStage(2, pool=2), *[_StackStage(3, pool=2)] * 3),
    Stack.ALEXNET: (
        _StackStage(kernel=11, stride=4, padding=2),
        _StackStage(kernel=5, padding=2, pool=3),
        _StackStage(pool=3),
        _StackStage(),
        _StackStage(),
    ),
}


@dataclass(frozen=True)
class LpipsConfig:
    """The shape of a network.

    Attributes:
        stack: whose convolutions.
        channels: feature maps that each convolution gives.
        calibrated: has linear weights; without, all channels count alike.
    """

    stack: Stack
    channels: tuple[int, ...]
    calibrated: bool = True

    def __post_init__(self) -> None:
        # JSON, where a pack keeps them, has lists and strings only.
        object.__setattr__(self, "stack", Stack(self.stack))
        object.__setattr__(self, "channels", tuple(self.channels))
        expected = sum(stage.convolutions for stage in _STAGES[self.stack])
        if len(self.channels) != expected:
            raise ValueError(
                f"channels: expected {expected} counts for {self.stack}, got {len(self.channels)}"
            )

    @property
    def compared(self) -> tuple[int, ...]:
        """Channels of the maps that are compared."""
        last, compared = -1, []
        for stage in _STAGES[self.stack]:
            last += stage.convolutions
            compared.append(self.channels[last])
        return tuple(compared)


class Lpips(nn.Module):
    """Two images to their distance; a `FeatureNetwork`."""

    shift: Tensor
    scale: Tensor

    def __init__(self, config: LpipsConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("shift", torch.tensor(SHIFT).reshape(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).reshape(1, 3, 1, 1))
        inputs, channels = 3, iter(config.channels)
        self.stages = nn.ModuleList()
        for stage in _STAGES[config.stack]:
            convolutions = nn.ModuleList()
            for _ in range(stage.convolutions):
                outputs = next(channels)
                convolutions.append(nn.Conv2d(inputs, outputs, stage.kernel, stage.stride, stage.padding))
                inputs = outputs
            self.stages.append(convolutions)
        linear = [torch.ones(count) for count in config.compared] if config.calibrated else []
        self.linear = nn.ParameterList(nn.Parameter(weight) for weight in linear)

    @property
    def divisor(self) -> int:
        """1 with linear weights: a sum, as published.

        Without, a mean: it has about the same scale, and a loss needs no other weight.
        """
        return 1 if self.config.calibrated else len(self.stages)

    def map_sizes(self, size: int) -> tuple[int, ...]:
        """Height of each feature map, of images `size` pixels high; maps and images are square.

        Raises:
            ValueError: the images are too small to leave anything of the last map.
        """
        left, found = size, []
        for stage in _STAGES[self.config.stack]:
            if stage.pool:
                left = (left - stage.pool) // _POOL_STRIDE + 1
            left = (left + 2 * stage.padding - stage.kernel) // stage.stride + 1
            found.append(left)
            if left < 1:
                raise ValueError(f"images of {size} pixels on a side are too small for {self.config.stack}")
        return tuple(found)

    def features(self, image: Tensor) -> list[Tensor]:
        """Feature maps after each stage.

        Args:
            image: float [B, 3, S, S] in [-1, 1].

        Returns:
            [B, C, s, s] for each size of `map_sizes(S)` and count of `config.compared`, from 0 up.
        """
        x = (image - self.shift) / self.scale
        maps = []
        for stage, convolutions in zip(_STAGES[self.config.stack], self.stages, strict=True):
            if stage.pool:
                x = F.max_pool2d(x, stage.pool, _POOL_STRIDE)
            assert isinstance(convolutions, nn.ModuleList)
            for convolution in convolutions:
                x = F.relu(convolution(x))
            maps.append(x)
        return maps

    def comparable(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps in float32 with vectors of unit length, each channel times the root of its linear weight."""
        wide = [x.float() for x in maps]
        unit = [x * torch.rsqrt((x * x).sum(1, keepdim=True) + _EPSILON) for x in wide]
        if not self.config.calibrated:
            return unit
        return [x * weight.sqrt()[:, None, None] for x, weight in zip(unit, self.linear, strict=True)]

    def compared(self, image: Tensor) -> list[Tensor]:
        """Images float [B, 3, S, S] in [-1, 1] to comparable maps."""
        return self.comparable(self.features(image))

    def forward(self, image: Tensor, other: Tensor) -> Tensor:
        """Measure how different images look.

        Args:
            image: float [B, 3, S, S] in [-1, 1].
            other: the same.

        Returns:
            float [B], 0 for equal images.
        """
        return perceptual_distance(self.compared(image), self.compared(other), divisor=self.divisor)
