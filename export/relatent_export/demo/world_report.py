"""The report's figures about the networks: attribute accuracy, variety and likeness of samples."""

from __future__ import annotations

import torch
from torch import Tensor

from relatent_export.analysis.frechet import frechet_distance
from relatent_export.demo.pictures import sample_images
from relatent_export.demo.world import Drawings, demo_parts, draw
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.networks import Networks
from relatent_export.nets.stylegan2 import Generator

_COUNT = 2_000
_FID_COUNT = 5_000
_CHUNK = 100


@torch.no_grad()
def measure_networks(networks: Networks) -> dict[str, object]:
    """Measure attribute network and generator against drawings that no training saw.

    Returns:
        `attribute_r2` and `std_ratio` (factor to value), `fid` and `fid_reference`, and `w_deviation`, the
        root mean square distance of random codes from the mean latent.
    """
    parts = demo_parts(networks)
    generator, attributes = parts.generator, parts.attributes
    images, factors = draw(Drawings.HELD_OUT, _COUNT)
    drawn = _measure(attributes, images)[0]
    sampled = _measure(attributes, _samples(generator, _COUNT, seed=31))[0]
    residual = (drawn - factors).square().mean(0)
    r2 = 1 - residual / factors.var(0, unbiased=False)
    ratio = sampled.std(0) / drawn.std(0)
    fakes = _measure(attributes, _samples(generator, _FID_COUNT, seed=32))[1]
    first = _measure(attributes, draw(Drawings.REFERENCE_A, _FID_COUNT)[0])[1]
    second = _measure(attributes, draw(Drawings.REFERENCE_B, _FID_COUNT)[0])[1]
    names, mapping = networks.attribute_names, generator.mapping
    z = torch.randn(_COUNT, generator.config.z_width, generator=torch.Generator().manual_seed(34))
    return {
        "attribute_r2": dict(zip(names, r2.tolist(), strict=True)),
        "std_ratio": dict(zip(names, ratio.tolist(), strict=True)),
        "fid": frechet_distance(fakes, first),
        "fid_reference": frechet_distance(second, first),
        "w_deviation": float((mapping(z) - mapping.mean).square().mean().sqrt()),
    }


def _samples(generator: Generator, count: int, seed: int) -> Tensor:
    return torch.from_numpy(sample_images(generator, count, seed)).permute(0, 3, 1, 2)


@torch.no_grad()
def _measure(network: AttributeNetwork, images: Tensor) -> tuple[Tensor, Tensor]:
    """Attributes [N, A] and embeddings [N, 256] of uint8 images."""
    attributes, embeddings = [], []
    for chunk in torch.split(images, _CHUNK):
        embedded = network.embed(network.features(chunk.float() / 127.5 - 1)[-1])
        attributes.append(network.output(embedded))
        embeddings.append(embedded)
    return torch.cat(attributes), torch.cat(embeddings)
