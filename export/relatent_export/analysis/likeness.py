"""How alike two sets of images are as sets: sliced Wasserstein distance of their patches.

Karras et al., "Progressive Growing of GANs" (2018), section 5: at each level of a Laplacian pyramid, patches
of 7 x 7 pixels, normalised by the channels' mean and deviation over the set, on random directions;
the mean absolute difference of the sorted projections (the 1-Wasserstein distance in one dimension), averaged
over directions, levels and repeats, times a thousand.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from relatent_export.nets.resampling import area_downsample

Bytes = NDArray[np.uint8]

PATCH = 7
_SMALLEST = 16
"""Height of the pyramid's coarsest level, in pixels."""
_PATCHES, _DIRECTIONS, _REPEATS, _SEED = 64, 128, 4, 51


def sliced_wasserstein(a: Bytes, b: Bytes) -> float:
    """The distance of two sets of images uint8 [N, R, R, 3] of the same size and number."""
    if a.shape != b.shape:
        raise ValueError(f"images: expected two sets of one size and number, got {a.shape} and {b.shape}")
    levels = zip(_pyramid(_floats(a)), _pyramid(_floats(b)), strict=True)
    random = torch.Generator().manual_seed(_SEED)
    return 1e3 * float(np.mean([_distance(one, other, random) for one, other in levels]))


def _floats(images: Bytes) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def _pyramid(images: Tensor) -> list[Tensor]:
    levels = []
    while images.shape[2] >= 2 * _SMALLEST:
        smaller = area_downsample(images, images.shape[2] // 2)
        levels.append(images - F.interpolate(smaller, scale_factor=2, mode="bilinear", align_corners=False))
        images = smaller
    return [*levels, images]


def _distance(a: Tensor, b: Tensor, random: torch.Generator) -> float:
    state = random.get_state()
    first = _patches(a, random)
    random.set_state(state)  # the same places, so that equal sets have no distance
    second = _patches(b, random)
    found = []
    for _ in range(_REPEATS):
        directions = torch.randn(first.shape[1], _DIRECTIONS, generator=random)
        directions = directions / directions.norm(dim=0)
        one, other = (first @ directions).sort(0).values, (second @ directions).sort(0).values
        found.append(float((one - other).abs().mean()))
    return float(np.mean(found))


def _patches(images: Tensor, random: torch.Generator) -> Tensor:
    """Patches of random places, [N * patches, 3 * PATCH * PATCH], each channel normalised."""
    windows = F.unfold(images, PATCH).transpose(1, 2)
    places = torch.randint(windows.shape[1], (len(images), _PATCHES), generator=random)
    picked = windows.gather(1, places[:, :, None].expand(-1, -1, windows.shape[2])).flatten(0, 1)
    channels = picked.reshape(len(picked), 3, -1)
    mean = channels.mean((0, 2), keepdim=True)
    deviation = channels.std((0, 2), keepdim=True).clamp(min=1e-8)
    normalised: Tensor = ((channels - mean) / deviation).flatten(1)
    return normalised
