"""ReStyle: an encoder that looks at the image and at what it has reconstructed so far, again and again.

    code <- code + E(image, G(code) at the encoder's size), from the mean latent and its image

Published in Alaluf et al., "ReStyle: A Residual-Based StyleGAN Encoder via Iterative Refinement"
(2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from relatent_export.nets.gradual_style import GradualStyleConfig, GradualStyleEncoder
from relatent_export.nets.resampling import area_downsample

ITERATIONS = 5
"""As published."""

CHANNELS = 6
"""Of an image and its reconstruction."""


@dataclass(frozen=True, kw_only=True)
class ReStyleConfig(GradualStyleConfig):
    """The shape of an iterative encoder.

    Attributes:
        iterations: passes over the encoder.
    """

    image_channels: int = CHANNELS
    iterations: int = ITERATIONS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_channels != CHANNELS:
            raise ValueError(
                f"image_channels: expected {CHANNELS}, an image's and its reconstruction's, got "
                f"{self.image_channels}"
            )
        if self.iterations < 1:
            raise ValueError(f"iterations: expected 1 or more, got {self.iterations}")


class ReStyleEncoder(nn.Module):
    """Images to W+ codes.

    The first pass compares with the mean latent's image, a buffer `average`, [3, R, R] in [-1, 1].
    """

    average: Tensor

    def __init__(self, config: ReStyleConfig) -> None:
        super().__init__()
        self.config = config
        self.network = GradualStyleEncoder(config)
        self.register_buffer("average", torch.zeros(3, config.resolution, config.resolution))

    @property
    def resolution(self) -> int:
        """Height and width of the images in pixels."""
        return self.config.resolution

    def forward(self, image: Tensor, synthesis: Callable[[Tensor], Tensor]) -> Tensor:
        """Encode.

        Args:
            image: float [B, 3, R, R] in [-1, 1].
            synthesis: w [B, L, D] to images in [-1, 1], not clamped, whose resolution is a multiple of R.

        Returns:
            w, float32 [B, L, D].
        """
        seen = self.average.expand(image.shape[0], -1, -1, -1)
        code: Tensor = self.network(torch.cat([image, seen], 1))
        for _ in range(self.config.iterations - 1):
            seen = area_downsample(synthesis(code), self.resolution)
            code = code + self.network.offsets(torch.cat([image, seen], 1))
        return code
