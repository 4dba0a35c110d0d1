"""What coordinates are measured on: images of the generator's own, and where their refinement starts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from relatent.core.methods import StartRule
from relatent_export.nets.networks import Networks, encode
from relatent_export.nets.pixels import to_bytes, to_float

_PIXELS, _MOST = 2**17, 32
"""Of all images that are computed together, and how many those are at most."""

_NEAR = 0.7
"""Truncation of the codes that stand for given ones: between the mean and what is sought."""


@dataclass(frozen=True)
class Sampled:
    """Samples of a generator.

    Attributes:
        codes: that made the images, float32 [N, L, D].
        images: uint8 [N, R, R, 3].
    """

    codes: Tensor
    images: Tensor


def at_a_time(networks: Networks) -> int:
    """How many images of a pack are computed together."""
    return max(1, min(_MOST, _PIXELS // networks.generator.config.resolution**2))


@torch.no_grad()
def draw_samples(networks: Networks, count: int, random: torch.Generator) -> Sampled:
    """Draw codes, and make their images."""
    generator = networks.generator
    codes = generator.codes(torch.randn(count, generator.config.z_width, generator=random), 1.0)
    parts = torch.split(codes, at_a_time(networks))
    return Sampled(codes, torch.cat([to_bytes(generator.synthesis(part)) for part in parts]))


@torch.no_grad()
def starts(networks: Networks, sampled: Sampled, rule: StartRule) -> Tensor:
    """Where the refinement of samples starts, float32 [N, L, D].

    Codes that callers give are taken for an encoder's, and where there is none for truncated ones.
    """
    mean = networks.generator.mean_code()
    if rule is StartRule.MEAN:
        return mean.repeat(len(sampled.codes), 1, 1)
    if networks.encoder is None:
        return mean + _NEAR * (sampled.codes - mean)
    synthesis = networks.generator.synthesis
    parts = torch.split(sampled.images, at_a_time(networks))
    return torch.cat([encode(networks.encoder, synthesis, to_float(part)) for part in parts])
