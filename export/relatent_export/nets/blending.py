"""Synthesis of several codes whose features are blended: what one code cannot make, several can between them.

Each of the N codes goes through the layers up to one; there their features are added up, each channel of each
code by a weight of its own, and the sum goes through the rest with the first code:

    features = sum over n of weights[n] · features(w[n]),   weights[0] about 1, the others about 0

Weights are held as their difference from the first code alone, so zeros mean that code alone. RGB of the
levels below is blended by the mean of a code's weights.

Gu et al., "Image Processing Using Multi-Code GAN Prior" (2020).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from relatent_export.nets.modulation import Maps, Unfinished
from relatent_export.nets.offsets import AnyGenerator


class BlendedSynthesis(nn.Module):
    """A generator's synthesis of several codes.

    Args:
        generator: whose.
        codes: N.
        layer: number of the convolution after which they are blended.
        unit: of the weights: what one step of an optimiser is to be worth.
        dtype: of the feature maps.
    """

    first: Tensor

    def __init__(
        self,
        generator: AnyGenerator,
        codes: int,
        layer: int,
        unit: float = 1.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.synthesis, self.codes, self.layer = generator.synthesis, codes, layer
        self._unit, self._dtype = unit, dtype
        first = torch.zeros(1, codes, 1)
        first[:, 0] = 1
        self.register_buffer("first", first)

    @property
    def channels(self) -> int:
        """C of the features that are blended."""
        return self.synthesis.layer_shape(self.layer)[0]

    def forward(self, w: Tensor, weights: Tensor) -> Tensor:
        """Images of codes.

        Args:
            w: float32 [B, N, L, D].
            weights: float32 [B, N, C], of each channel, less one for the first code, in units.

        Returns:
            float32 [B, 3, R, R], nominally in [-1, 1].
        """
        synthesis, each = self.synthesis, w.flatten(0, 1)
        begun = synthesis.begin(each.shape[0], self._dtype)
        reached = synthesis.through(begun, each, range(self.layer + 1))
        weights = self.first + weights * self._unit
        features = self._sum(reached.maps.features(), weights)
        image = None
        if reached.image is not None:
            image = self._sum(reached.image, weights.mean(2, keepdim=True))
        blended = Unfinished(Maps(features.to(self._dtype), None), image)
        rest = range(self.layer + 1, len(synthesis.layers))
        return synthesis.image(synthesis.through(blended, w[:, 0], rest))

    def _sum(self, maps: Tensor, weights: Tensor) -> Tensor:
        """Maps [B * N, C, H, W] weighed by [B, N, C] or [B, N, 1] and added up, [B, C, H, W]."""
        each = maps.reshape(-1, self.codes, *maps.shape[1:])
        summed: Tensor = (each * weights[..., None, None]).sum(1)
        return summed
