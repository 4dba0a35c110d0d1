"""A discriminator of latent codes: random ones, mapped from z, against an encoder's.

That there is one comes from Leng et al., "Force-in-Domain GAN Inversion" (2021); that it judges a code layer
by layer, from Tov et al., "Designing an Encoder for StyleGAN Image Manipulation" (2021).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.layers import GAIN, LEAK, EqualizedLinear


class LatentDiscriminator(nn.Module):
    """Codes to logits; positive means mapped from a random vector.

    The same fully connected layers judge each layer of a code, and the layers' mean, which is as long as a
    mapped code only where layers agree. One judgement of all numbers at once would see little but that an
    encoder's layers differ, which a good likeness needs.

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
        self.entry = EqualizedLinear(width, hidden[0])
        self.hidden = nn.ModuleList(EqualizedLinear(hidden[i], hidden[i + 1]) for i in range(len(hidden) - 1))
        self.rows = nn.Parameter(torch.zeros(layers + 1, hidden[0]))
        self.logit = EqualizedLinear(hidden[-1], 1)
        self.deviation = deviation
        self.register_buffer("mean", mean.clone(), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Judge codes.

        Args:
            codes: float32 [B, L, D].

        Returns:
            float32 [B, L + 1]: of each layer, and of their mean.
        """
        rows = torch.cat([codes, codes.mean(1, keepdim=True)], 1)
        x = self.entry((rows - self.mean) / self.deviation) + self.rows
        for layer in self.hidden:
            x = layer(F.leaky_relu(x, LEAK) * GAIN)
        logits: Tensor = self.logit(F.leaky_relu(x, LEAK) * GAIN)
        return logits.squeeze(2)
