"""Encoders of the pSp family: a backbone, and a small head for each layer of a W+ code.

Published in Richardson et al., "Encoding in Style" (2021): heads on three levels of a feature pyramid,
and the mean latent added; Tov et al., "Designing an Encoder for StyleGAN Image Manipulation" (2021),
e4e: the first head gives a base and the others offsets from it; Alaluf et al., "ReStyle" (2021):
all heads on the coarsest map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.ir_se import IRSE, STAGES, IRSEConfig
from relatent_export.nets.layers import EqualizedLinear
from relatent_export.nets.resnet import ResNet

_LEAK = 0.01
COARSE_LAYERS, MIDDLE_LAYERS = 3, 7
"""In a pyramid, layers below the first come from the coarsest map, below the second from the middle one."""

STRIDE = 2**STAGES
"""How many times smaller the coarsest map is than the image."""


class Backbone(StrEnum):
    """What the feature maps come from."""

    IR_SE = "ir_se"
    RESNET = "resnet"


class Reading(StrEnum):
    """Where layers are read: a head each on three levels, a head each on the coarsest map, or one for all."""

    PYRAMID = "pyramid"
    COARSEST = "coarsest"
    POOLED = "pooled"


@dataclass(frozen=True, kw_only=True)
class GradualStyleConfig(IRSEConfig):
    """The shape of an encoder, beside its backbone's (a ResNet has no use for `reduction`).

    Attributes:
        resolution: of the images, a power of two from 16.
        layers: L of the W+ code.
        latent_width: of w.
        backbone: what the feature maps come from.
        reading: where layers are read.
        progressive: whether the first head gives a base, and the others offsets from it.
        letterboxed: whether pictures are 4:3 between black bars, which are cut off: encoders of cars.
    """

    resolution: int
    layers: int
    latent_width: int
    backbone: Backbone = Backbone.IR_SE
    reading: Reading = Reading.PYRAMID
    progressive: bool = False
    letterboxed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "backbone", Backbone(self.backbone))
        object.__setattr__(self, "reading", Reading(self.reading))
        if self.resolution < STRIDE or self.resolution & (self.resolution - 1):
            raise ValueError(f"resolution: expected a power of two from {STRIDE}, got {self.resolution}")
        if self.letterboxed and self.resolution < 4 * STRIDE:
            raise ValueError(f"resolution: expected {4 * STRIDE} or more, letterboxed, got {self.resolution}")


class GradualStyleEncoder(nn.Module):
    """Images to W+ codes; the mean latent is a buffer `mean`, [L, D], zero where none is added."""

    mean: Tensor

    def __init__(self, config: GradualStyleConfig) -> None:
        super().__init__()
        self.config = config
        top, width = config.channels[-1], config.latent_width
        self.backbone: IRSE | ResNet
        if config.backbone is Backbone.IR_SE:
            self.backbone = IRSE(config)
        else:
            self.backbone = ResNet(config.channels, config.units, config.image_channels)
        self.laterals = nn.ModuleList()
        self.heads = nn.ModuleList()
        if config.reading is Reading.POOLED:
            self.heads.append(EqualizedLinear(top, width))
        else:
            halvings = int(math.log2(config.resolution // STRIDE))
            self.heads.extend(
                _LayerHead(top, width, halvings + _level(config, layer)) for layer in range(config.layers)
            )
        if config.reading is Reading.PYRAMID:
            self.laterals.extend(nn.Conv2d(config.channels[-1 - level], top, 1) for level in (1, 2))
        self._margin = config.resolution // 8 if config.letterboxed else 0
        sizes = config.resolution // STRIDE, (config.resolution - 2 * self._margin) // STRIDE
        for level in range(len(self.laterals)):
            for axis, size in zip(("columns", "rows"), sizes, strict=True):
                self.register_buffer(f"_{axis}_{level}", _doubling(size << level), persistent=False)
        self.register_buffer("mean", torch.zeros(config.layers, width))

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
        return self.mean.float() + self.offsets(image)

    def offsets(self, image: Tensor) -> Tensor:
        """What is added to the mean latent.

        Args:
            image: float [B, C, R, R] in [-1, 1].

        Returns:
            float32 [B, L, D].
        """
        if self._margin:
            image = image[:, :, self._margin : -self._margin]
        maps = self.backbone(image)
        if self.config.reading is Reading.POOLED:
            code: Tensor = self.heads[0](maps[-1].mean((2, 3))).float()
            # Repeating, not expanding: a graph's output must own its memory.
            return code[:, None, :].repeat(1, self.config.layers, 1)
        levels = self._pyramid(maps)
        codes = [head(levels[_level(self.config, i)]).float() for i, head in enumerate(self.heads)]
        if self.config.progressive:
            codes = codes[:1] + [codes[0] + offset for offset in codes[1:]]
        return torch.stack(codes, 1)

    def _pyramid(self, maps: list[Tensor]) -> list[Tensor]:
        """The maps that heads read, coarsest first: each of twice the size, the coarser one added."""
        levels = [maps[-1]]
        for i, lateral in enumerate(self.laterals):
            # Resizing, corners aligned, is a product with a constant along each axis.
            rows, columns = self.get_buffer(f"_rows_{i}"), self.get_buffer(f"_columns_{i}")
            x = levels[-1]
            levels.append(lateral(maps[-2 - i]) + rows.to(x.dtype) @ x @ columns.T.to(x.dtype))
        return levels


class _LayerHead(nn.Module):
    """A feature map to one layer's w: strided convolutions down to one pixel, then one linear layer."""

    def __init__(self, inputs: int, width: int, halvings: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs if i == 0 else width, width, 3, stride=2, padding=1) for i in range(halvings)
        )
        self.dense = EqualizedLinear(width if halvings else inputs, width)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.leaky_relu(conv(x), _LEAK)
        w: Tensor = self.dense(x.flatten(1))
        return w


def _level(config: GradualStyleConfig, layer: int) -> int:
    """The level that a layer is read from, 0 for the coarsest."""
    if config.reading is Reading.COARSEST:
        return 0
    return (layer >= COARSE_LAYERS) + (layer >= MIDDLE_LAYERS)


def _doubling(size: int) -> Tensor:
    """Linear interpolation to twice as many points, the outermost ones staying, [2 size, size]."""
    matrix = torch.zeros(2 * size, size, device="cpu")
    for i in range(2 * size):
        place = i * (size - 1) / (2 * size - 1)
        low = min(int(place), max(size - 2, 0))
        matrix[i, low] += 1 - (place - low)
        if size > 1:
            matrix[i, low + 1] += place - low
    return matrix
