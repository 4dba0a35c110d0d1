"""The mean latent of a checkpoint that does not hold it: the mean of many random vectors, mapped."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SAMPLES = 16_384
_CHUNK = 1_024
_SEED = 0


@torch.no_grad()
def estimated_mean(mapping: Callable[[Tensor], Tensor], z_width: int) -> Tensor:
    """Estimate a mean latent; the same one each time.

    Args:
        mapping: z [B, Z] to w, [B, D] or [B, L, D].
        z_width: Z.

    Returns:
        float32 [D] or [L, D].
    """
    random = torch.Generator().manual_seed(_SEED)
    total = torch.zeros((), dtype=torch.float64)
    for _ in range(SAMPLES // _CHUNK):
        total = total + mapping(torch.randn(_CHUNK, z_width, generator=random)).sum(0, dtype=torch.float64)
    return (total / SAMPLES).float()
