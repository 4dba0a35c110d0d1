"""StyleCLIP's latent mapper: what a text changes of a code, by a network trained for that text.

Patashnik et al., "StyleCLIP: Text-Driven Manipulation of StyleGAN Imagery" (2021), section 5: three networks,
for the coarse, the medium and the fine layers of a code, each four fully connected layers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.layers import LEAK, EqualizedLinear

GROUPS = (range(4), range(4, 8), range(8, 18))
"""Layers of a code: coarse, medium, fine."""

_DEPTH = 4
_SHARE = 0.1
"""Of what the networks give that a code moves by, as published."""
_TINY = 1e-8


class LatentMapper(nn.Module):
    """Codes to codes.

    Args:
        layers: of a code, L.
        width: of a layer's row, D.
    """

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        self.layers, self.width = layers, width
        self.groups = [group[: max(0, layers - group.start)] for group in GROUPS if group.start < layers]
        self.mappers = nn.ModuleList(
            nn.ModuleList(EqualizedLinear(width, width) for _ in range(_DEPTH)) for _ in self.groups
        )

    def change(self, w: Tensor) -> Tensor:
        """Codes float32 [B, L, D] to what a strength of 1 adds to them, Δ, float32 [B, L, D]."""
        moved = []
        for group, mapper in zip(self.groups, self.mappers, strict=True):
            x = w[:, group.start : group.stop]
            x = x * torch.rsqrt((x * x).mean(2, keepdim=True) + _TINY)
            for layer in mapper.children():
                x = F.leaky_relu(layer(x), LEAK)
            moved.append(x)
        return _SHARE * torch.cat(moved, 1)

    def forward(self, w: Tensor, strength: Tensor) -> Tensor:
        """Move codes.

        Args:
            w: float32 [B, L, D].
            strength: float32 [B, 1]; 1 is what the mapper was trained for, 0 nothing, below 0 the other way.

        Returns:
            float32 [B, L, D].
        """
        return w + strength[:, :, None] * self.change(w)
