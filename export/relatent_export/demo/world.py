"""The demo world's fixed choices: sizes, seeds, kinds of networks, and the sets of drawings that all use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from relatent_export.demo.factors import FACTORS, sample_factors
from relatent_export.demo.portraits import draw_portraits
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.networks import Networks
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
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
    JUDGE = 16
    TEXT = 17


def draw(
    which: Drawings, count: int, resolution: int = RESOLUTION, without: str = ""
) -> tuple[Tensor, Tensor]:
    """Draw the first `count` portraits of a set.

    Args:
        which: the set.
        count: how many.
        resolution: side of the drawings in pixels.
        without: a factor to take off them, at its lowest in all; the others stay as they are.

    Returns:
        The drawings, uint8 [count, 3, resolution, resolution], and their factors,
        float32 [count, 16].
    """
    generator = torch.Generator().manual_seed(int(which))
    factors = torch.cat([sample_factors(_CHUNK, generator) for _ in range(-(-count // _CHUNK))])[:count]
    if without:
        factors[:, FACTORS.index(without)] = -1
    images = torch.empty(count, 3, resolution, resolution, dtype=torch.uint8)
    starts = range(0, count, _CHUNK)
    for start in progress(
        starts, f"drawing {which.name.lower()}", leave=False, disable=True if count < 5_000 else None
    ):
        images[start : start + _CHUNK] = draw_portraits(factors[start : start + _CHUNK], resolution)
    return images, factors


@dataclass(frozen=True)
class DemoParts:
    """Generator, encoder and attribute network of a pack like the demo's."""

    generator: Generator
    encoder: Encoder
    attributes: AttributeNetwork


def demo_parts(networks: Networks) -> DemoParts:
    """Take a pack's networks for a demo's.

    Raises:
        ValueError: it is another kind of pack, such as an imported one.
    """
    generator, encoder, attributes = networks.generator, networks.encoder, networks.attributes
    if not isinstance(generator, Generator) or not isinstance(encoder, Encoder) or attributes is None:
        raise ValueError("pack: expected one that was trained here, with an attribute network")
    return DemoParts(generator, encoder, attributes)
