"""Random points of a space, and the images that they stand for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relatent.core.spaces import Space
from relatent_export.nets.networks import AnyGenerator
from relatent_export.nets.styles import StyleSynthesis

Floats = NDArray[np.float32]


def draw_points(generator: AnyGenerator, space: Space, count: int, seed: int) -> Floats:
    """Random points of a space: [N, 1, Z] of Z, styles [N, 1, S] of S, else codes [N, L, D]."""
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
    if space is Space.STYLE:
        with torch.no_grad():
            codes = StyleSynthesis(generator).styles(codes)[:, None]
    return codes.contiguous().numpy()


def synthesis_of(generator: AnyGenerator, space: Space) -> Callable[[Tensor], Tensor]:
    """What makes images [N, 3, R, R] of points of a space."""
    if space is Space.STYLE:
        styled = StyleSynthesis(generator)
        return lambda points: styled(points[:, 0])
    if space is Space.Z:
        return lambda points: generator.synthesis(generator.codes(points[:, 0], 1.0))
    return generator.synthesis
