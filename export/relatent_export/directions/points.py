"""Random points of a space, and the codes that they stand for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from relatent.core.spaces import Space
from relatent_export.nets.networks import AnyGenerator

Floats = NDArray[np.float32]


def draw_points(generator: AnyGenerator, space: Space, count: int, seed: int) -> Floats:
    """Random points of a space: [N, 1, Z] of Z, else codes [N, L, D]."""
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(count, generator.config.z_width, generator=random)
    if space is Space.Z:
        return z[:, None].numpy()
    with torch.no_grad():
        codes = torch.cat([generator.codes(chunk, 1.0) for chunk in torch.split(z, 4_096)])
    if space is Space.W_PLUS:
        layers = codes.shape[1]
        crossings = torch.randint(1, layers + 1, (count, 1, 1), generator=random)
        codes = torch.where(torch.arange(layers)[None, :, None] < crossings, codes, codes.roll(1, 0))
    return codes.contiguous().numpy()


def codes_of(generator: AnyGenerator, space: Space) -> Callable[[Floats], Floats]:
    """Points of a space to codes [N, L, D]."""
    if space is not Space.Z:
        return lambda points: points

    @torch.no_grad()
    def mapped(points: Floats) -> Floats:
        codes: Floats = generator.codes(torch.from_numpy(np.ascontiguousarray(points[:, 0])), 1.0).numpy()
        return codes

    return mapped
