"""The perceptual distance: feature maps of two images, normalised and subtracted.

Which network makes the maps is a pack's matter: the attribute network that was trained with it
(`relatent_export.nets.attributes`), or a published one (`relatent_export.nets.lpips`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from relatent_export.nets.resampling import area_downsample, averaging


class FeatureNetwork(Protocol):
    """A network whose feature maps are compared.

    The distance of two images is the squared difference of their compared maps, summed over channels,
    averaged over positions, summed over maps and divided by `divisor`: what `perceptual_distance`
    computes.
    """

    @property
    def divisor(self) -> int:
        """What the sum over maps is divided by: their number for a mean, 1 for a sum."""

    def map_sizes(self, size: int) -> tuple[int, ...]:
        """Height of each map, of images `size` pixels high; maps and images are square."""

    def features(self, image: Tensor) -> list[Tensor]:
        """Images [B, 3, S, S] in [-1, 1] to feature maps as the network makes them."""

    def comparable(self, maps: list[Tensor]) -> list[Tensor]:
        """Feature maps in float32, normalised and weighted: ready to be subtracted."""

    def compared(self, image: Tensor) -> list[Tensor]:
        """Images to comparable feature maps, in one."""


def normalize_features(maps: list[Tensor]) -> list[Tensor]:
    """Scale each position's feature vector to unit length, as LPIPS does (Zhang et al. 2018)."""
    return [x * torch.rsqrt((x * x).sum(1, keepdim=True) + 1e-6) for x in maps]


def perceptual_distance(
    maps: list[Tensor],
    others: list[Tensor],
    masks: list[Tensor] | None = None,
    divisor: int | None = None,
) -> Tensor:
    """Distance between comparable feature maps.

    LPIPS: the squared difference summed over channels, averaged over positions, summed over maps.

    Args:
        maps: what a `FeatureNetwork` compares, or a result of `normalize_features`.
        others: another image's.
        masks: weight of each position, [B, 1, H, W] a map with mean 1; all alike if left out.
        divisor: of the sum over maps; their number if left out: a mean.

    Returns:
        float [B], 0 for equal images; at most 4 for a mean over maps of unit vectors.
    """
    parts = []
    for i, (a, b) in enumerate(zip(maps, others, strict=True)):
        difference = a - b
        difference = (difference * difference).sum(1)
        parts.append((difference if masks is None else difference * masks[i][:, 0]).mean((1, 2)))
    # Not a mean over a stack: ONNX Runtime takes it in another order for one sample than for several.
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    divisor = len(parts) if divisor is None else divisor
    return total if divisor == 1 else total / divisor


def resized_masks(mask: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """A mask at the size of each feature map.

    Args:
        mask: float [B, 1, S, S], the weight of each pixel.
        sizes: of the maps, as `FeatureNetwork.map_sizes` gives them, each at most S.

    Returns:
        [B, 1, s, s] for each size s: means over the pixels that a position stands for.
    """
    masks, last = [], mask
    for size in sizes:
        whole = last.shape[-1] % size == 0
        last = area_downsample(last, size) if whole else _averaged(mask, size)
        masks.append(last)
    return masks


def _averaged(mask: Tensor, size: int) -> Tensor:
    """Adaptive average pooling of square maps, as two products with a constant: it exports as such."""
    across = averaging(mask.shape[-1], size).to(mask.dtype)
    return across @ mask @ across.t()
