"""Fit the demo's directions: one linear boundary for each factor, calibrated."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from tqdm import tqdm

from export.directions.boundary import fit_boundary
from export.directions.calibration import calibrate
from export.networks import Networks
from relatent.pack import Direction

_SAMPLES = 20_000
_CALIBRATED_ON = 64
_CHUNK = 64


def fit_directions(networks: Networks, samples: int = _SAMPLES) -> list[Direction]:
    """Fit a direction for each attribute from generated samples that the network labels."""
    generator = networks.generator
    random = torch.Generator().manual_seed(21)
    z = torch.randn(samples, generator.config.latent_width, generator=random)
    with torch.no_grad():
        w = generator.mapping(z)
        labels = torch.cat(
            [measure_attributes(networks, generator.broadcast(chunk)) for chunk in _chunks(w, "labelling")]
        )
        codes = generator.broadcast(w[:_CALIBRATED_ON])
    directions = []
    for index, name in enumerate(tqdm(networks.attribute_names, "fitting", unit="direction")):
        boundary = fit_boundary(w, labels[:, index])
        with torch.no_grad():
            found = calibrate(codes, boundary.normal, partial(_measure_one, networks, index))
        directions.append(
            Direction(
                name=name,
                vector=generator.broadcast(boundary.normal[None])[0].contiguous().numpy(),
                bias=boundary.bias,
                attribute=name,
                first_layer=found.first_layer,
                last_layer=found.last_layer,
                calibration=found.slope,
                min_strength=found.min_strength,
                max_strength=found.max_strength,
            )
        )
    return directions


def measure_attributes(networks: Networks, codes: Tensor) -> Tensor:
    """Attributes [B, A] of the images of W+ codes [B, L, D]."""
    image = networks.generator.synthesis(codes).clamp(-1, 1)
    attributes: Tensor = networks.attributes(image)
    return attributes


def _measure_one(networks: Networks, index: int, codes: Tensor) -> Tensor:
    return measure_attributes(networks, codes)[:, index]


def _chunks(w: Tensor, what: str) -> tqdm[Tensor]:
    return tqdm(torch.split(w, _CHUNK), what, unit="batch", leave=False)
