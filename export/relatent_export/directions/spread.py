"""How far a generator's codes of W spread."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from relatent_export.nets.networks import AnyGenerator

_DRAWN, _SEED = 10_000, 0


@dataclass(frozen=True)
class CodeSpread:
    """Of mapped samples.

    Attributes:
        mean: float32 [D].
        deviation: the root mean square of the standard deviations of a code's numbers.
    """

    mean: Tensor
    deviation: float


@torch.no_grad()
def spread_of(generator: AnyGenerator) -> CodeSpread:
    """That of samples without truncation, always the same."""
    z = torch.randn(_DRAWN, generator.config.z_width, generator=torch.Generator().manual_seed(_SEED))
    codes = torch.cat([generator.codes(chunk, 1.0)[:, 0] for chunk in torch.split(z, 1_000)])
    mean = codes.mean(0)
    return CodeSpread(mean, float((codes - mean).square().mean().sqrt()))
