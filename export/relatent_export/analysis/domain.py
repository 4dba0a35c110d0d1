"""Measuring how far genuine images are from what the generator makes, for `relatent.core.domain`.

Genuine are the generator's own samples, which every pack has at hand; of the demo's, drawings agree with
them (docs/methods.md).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from relatent.core.domain import Domain, cycle, measured
from relatent_export.nets.networks import Networks, encode
from relatent_export.nets.pixels import to_bytes, to_float
from relatent_export.progress import progress

_SAMPLES, _BATCH, _SEED = 256, 8, 41
_LARGE, _LARGE_SAMPLES = 256, 64
"""Above this resolution an image takes seconds on a processor, and fewer are measured."""


def measure_domain(networks: Networks, samples: int | None = None) -> Domain | None:
    """Measure the cycle of samples; None for networks without an encoder.

    Args:
        networks: the pack's.
        samples: how many, two or more.
    """
    if networks.encoder is None:
        return None
    generator = networks.generator
    count = samples or (_SAMPLES if generator.config.resolution <= _LARGE else _LARGE_SAMPLES)
    random = torch.Generator().manual_seed(_SEED)
    noise = torch.randn(count, generator.config.z_width, generator=random)
    cycles: list[float] = []
    with torch.no_grad():
        for z in progress(torch.split(noise, _BATCH), "measuring the domain", unit="batch", leave=False):
            image = generator.synthesis(generator.codes(z, 1.0))
            cycles += _cycles(networks, image)
    return measured(np.array(cycles))


def _cycles(networks: Networks, image: Tensor) -> list[float]:
    """Of images [B, 3, R, R], as the service would find them: all that lies between graphs is bytes."""
    assert networks.encoder is not None
    synthesis = networks.generator.synthesis
    codes = encode(networks.encoder, synthesis, to_float(to_bytes(image)))
    again = encode(networks.encoder, synthesis, to_float(to_bytes(synthesis(codes))))
    return [cycle(one.numpy(), other.numpy()) for one, other in zip(codes, again, strict=True)]
