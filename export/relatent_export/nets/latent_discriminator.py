"""A discriminator of latent codes: random ones, mapped from z, against an encoder's.

Published in Leng et al., "Force-in-Domain GAN Inversion" (2021).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.layers import GAIN, LEAK, EqualizedLinear


class LatentDiscriminator(nn.Module):
    """Codes to one logit each; positive means mapped from a random vector.

    Fully connected layers over all layers of the code at once, so that it sees layers that differ, too.

    Args:
        layers, width: L and D of the codes.
        mean: float32 [D], the mean latent, which is taken off.
        deviation: root mean square of mapped codes' distance from it in each number; positive.
        hidden: width of each hidden layer.
    """

    mean: Tensor

    def __init__(
        self, layers: int, width: int, mean: Tensor, deviation: float, hidden: tuple[int, ...] = (256, 256)
    ) -> None:
        super().__init__()
        widths = (layers * width, *hidden)
        self.hidden = nn.ModuleList(EqualizedLinear(widths[i], widths[i + 1]) for i in range(len(hidden)))
        self.logit = EqualizedLinear(widths[-1], 1)
        self.deviation = deviation
        self.register_buffer("mean", mean.clone(), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Judge codes.

        Args:
            codes: float32 [B, L, D].

        Returns:
            float32 [B, 1].
        """
        x = ((codes - self.mean) / self.deviation).flatten(1)
        for layer in self.hidden:
            x = F.leaky_relu(layer(x), LEAK) * GAIN
        logit: Tensor = self.logit(x)
        return logit
