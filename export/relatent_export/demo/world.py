"""The demo world's fixed choices: sizes, seeds, and the sets of drawings that everything uses."""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

from relatent_export.demo.factors import sample_factors
from relatent_export.demo.portraits import draw_portraits
from relatent_export.nets.stylegan2 import GeneratorConfig
from relatent_export.progress import progress

RESOLUTION = 64
GENERATOR = GeneratorConfig(
    resolution=RESOLUTION, latent_width=128, mapping_layers=4, channels=(96, 96, 96, 64, 32)
)

TRAINING_DRAWINGS = 50_000
"""Drawings in the training set."""

_CHUNK = 16
"""Drawings painted together: few enough to stay in the processor's cache."""


class Drawings(IntEnum):
    """The sets of drawings; a set's number is its seed, so that no two share a portrait."""

    TRAINING = 11
    HELD_OUT = 12
    SWEEP = 13
    REFERENCE_A = 14
    REFERENCE_B = 15


def draw(which: Drawings, count: int, resolution: int = RESOLUTION) -> tuple[Tensor, Tensor]:
    """Draw the first `count` portraits of a set.

    Returns:
        The drawings, uint8 [count, 3, resolution, resolution], and their factors,
        float32 [count, 16].
    """
    generator = torch.Generator().manual_seed(int(which))
    factors = torch.cat([sample_factors(_CHUNK, generator) for _ in range(-(-count // _CHUNK))])[:count]
    images = torch.empty(count, 3, resolution, resolution, dtype=torch.uint8)
    starts = range(0, count, _CHUNK)
    for start in progress(
        starts, f"drawing {which.name.lower()}", leave=False, disable=True if count < 5_000 else None
    ):
        images[start : start + _CHUNK] = draw_portraits(factors[start : start + _CHUNK], resolution)
    return images, factors
