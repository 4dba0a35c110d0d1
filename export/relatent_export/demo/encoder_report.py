"""What forcing did to the demo's encoder: where its codes lie, and how well they reconstruct."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from relatent_export.analysis.frechet import LatentFrechet, latent_frechet
from relatent_export.demo.world import Drawings, demo_parts, draw
from relatent_export.nets.networks import AnyEncoder, Networks, encode

_CODES = 5_000
_REBUILT = 64
_CHUNK = 64
_SEED = 41


@dataclass(frozen=True)
class EncoderFigures:
    """Of one encoder.

    Attributes:
        frechet: of its codes of drawings that no training saw, from mapped random vectors, the same for every
            layer.
        mse: of its reconstructions, of pixels in [0, 1].
    """

    frechet: LatentFrechet
    mse: float


@torch.no_grad()
def measure_encoders(
    networks: Networks, codes: int = _CODES, rebuilt: int = _REBUILT
) -> list[EncoderFigures]:
    """Measure a pack's encoders: its encoder, and its forced one if it has one.

    Args:
        networks: a pack's like the demo's.
        codes: drawings of `Drawings.REFERENCE_A` that are encoded, and random vectors that are mapped.
        rebuilt: drawings of `Drawings.SWEEP` that are reconstructed.
    """
    generator = demo_parts(networks).generator
    mapped = _mapped(networks, codes, _SEED)
    resolution = generator.config.resolution
    drawings, targets = (
        draw(which, count, resolution)[0].float() / 127.5 - 1
        for which, count in ((Drawings.REFERENCE_A, codes), (Drawings.SWEEP, rebuilt))
    )
    figures = []
    for encoder in (networks.encoder, networks.forced_encoder):
        if encoder is not None:
            images = generator.synthesis(_encode(networks, encoder, targets)).clamp(-1, 1)
            figures.append(
                EncoderFigures(
                    frechet=latent_frechet(_encode(networks, encoder, drawings), mapped),
                    # A difference of 2 is one of 1 in [0, 1].
                    mse=float((images - targets).square().mean()) / 4,
                )
            )
    return figures


@torch.no_grad()
def frechet_floor(networks: Networks, codes: int = _CODES) -> LatentFrechet:
    """The distance of mapped random vectors from others of their kind: no encoder can count on less."""
    return latent_frechet(_mapped(networks, codes, _SEED), _mapped(networks, codes, _SEED + 1))


def _mapped(networks: Networks, count: int, seed: int) -> Tensor:
    """Random vectors' codes, [count, L, D], the same w for every layer."""
    generator = demo_parts(networks).generator
    z = torch.randn(count, generator.config.z_width, generator=torch.Generator().manual_seed(seed))
    return generator.broadcast(generator.mapping(z))


def _encode(networks: Networks, encoder: AnyEncoder, images: Tensor) -> Tensor:
    synthesis = demo_parts(networks).generator.synthesis
    return torch.cat([encode(encoder, synthesis, chunk) for chunk in torch.split(images, _CHUNK)])
