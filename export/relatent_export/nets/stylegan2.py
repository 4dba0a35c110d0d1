"""StyleGAN2's generator: mapping and synthesis, of any width and resolution.

Published in Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.layers import GAIN, LEAK, EqualizedLinear
from relatent_export.nets.modulation import Change, Maps, SynthesisLayer, ToRGB, Unfinished


@dataclass(frozen=True)
class GeneratorConfig:
    """The shape of a generator.

    Attributes:
        resolution: of the images, a power of two from 8.
        latent_width: width of w.
        mapping_layers: fully connected layers of the mapping network.
        channels: feature maps at each resolution from 4 up to `resolution`.
        noise: whether each layer adds its constant noise map.
        z_width: width of z; that of w if left out.
    """

    resolution: int
    latent_width: int
    mapping_layers: int
    channels: tuple[int, ...]
    noise: bool = False
    z_width: int = 0

    def __post_init__(self) -> None:
        if self.z_width == 0:
            object.__setattr__(self, "z_width", self.latent_width)
        levels = int(math.log2(self.resolution)) - 1
        if 2 ** (levels + 1) != self.resolution or levels < 2:
            raise ValueError(f"resolution: expected a power of two from 8, got {self.resolution}")
        if len(self.channels) != levels:
            raise ValueError(f"channels: expected {levels} counts, got {len(self.channels)}")

    @property
    def architecture(self) -> str:
        """What its publication calls it."""
        return "StyleGAN2"

    @property
    def layers(self) -> int:
        """L of a W+ code: one for each convolution, one for the last layer to RGB."""
        return 2 * len(self.channels)


class Mapping(nn.Module):
    """z to w: normalise to unit second moment, then fully connected layers at a slow rate."""

    mean: Tensor

    def __init__(self, width: int, layers: int, z_width: int, learning_rate: float = 0.01) -> None:
        super().__init__()
        widths = [z_width] + [width] * layers
        self.layers = nn.ModuleList(
            EqualizedLinear(widths[i], widths[i + 1], learning_rate=learning_rate) for i in range(layers)
        )
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, z: Tensor) -> Tensor:
        """Map latent vectors.

        Args:
            z: [B, Z].

        Returns:
            w, [B, D].
        """
        w = z * torch.rsqrt((z * z).mean(1, keepdim=True) + 1e-8)
        for layer in self.layers:
            w = F.leaky_relu(layer(w), LEAK) * GAIN
        return w


class Synthesis(nn.Module):
    """W+ codes to images."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        channels, width, noise = config.channels, config.latent_width, config.noise
        self.const = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.layers = nn.ModuleList(
            [SynthesisLayer(channels[0], channels[0], 4, width, up=False, noise=noise)]
        )
        self.to_rgbs = nn.ModuleList([ToRGB(channels[0], width)])
        for level in range(1, len(channels)):
            inputs, outputs, resolution = channels[level - 1], channels[level], 4 * 2**level
            self.layers.append(SynthesisLayer(inputs, outputs, resolution, width, up=True, noise=noise))
            self.layers.append(SynthesisLayer(outputs, outputs, resolution, width, up=False, noise=noise))
            self.to_rgbs.append(ToRGB(outputs, width))

    def forward(self, w: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Synthesise images.

        Args:
            w: float32 [B, L, D].
            dtype: of the feature maps; RGB is summed in float32 whatever it is.

        Returns:
            float32 [B, 3, R, R], nominally in [-1, 1], not clamped.
        """
        return self.image(self.through(self.begin(w.shape[0], dtype), w, range(len(self.layers))))

    def begin(self, batch: int, dtype: torch.dtype = torch.float32) -> Unfinished:
        """Images before the first layer."""
        x = self.const.expand(batch, -1, -1, -1).to(dtype)
        if dtype is torch.bfloat16:
            x = x.contiguous(memory_format=torch.channels_last)
        return Unfinished(Maps(x, None), None)

    def through(
        self, unfinished: Unfinished, w: Tensor, layers: range, change: Change | None = None
    ) -> Unfinished:
        """Take images through layers.

        Args:
            unfinished: as the layer before the first of them left it.
            w: float32 [B, L, D].
            layers: numbers of convolutions, from 0.
            change: what to do to the features after each of them, before anything else sees them.
        """
        codes = w.unbind(1)  # its gradient is one stack; indexing's would be a scatter a layer
        maps, image = unfinished
        for layer in layers:
            maps = self.layers[layer](maps, codes[layer])
            if change is not None:
                maps = change(layer, maps)
            if layer % 2 == 0:
                # The layer to RGB shares its code with the next level's first convolution.
                image = self.to_rgbs[layer // 2](maps, codes[layer + 1], image)
        return Unfinished(maps, image)

    def image(self, unfinished: Unfinished) -> Tensor:
        """The images [B, 3, R, R] of what went through all layers."""
        assert unfinished.image is not None
        return unfinished.image

    def layer_shape(self, layer: int) -> tuple[int, int, int]:
        """[C, H, W] of the features after a layer."""
        level = (layer + 1) // 2
        conv = cast(SynthesisLayer, self.layers[layer]).conv
        return conv.weight.shape[0], 4 << level, 4 << level


class Generator(nn.Module):
    """Mapping and synthesis together."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = Mapping(config.latent_width, config.mapping_layers, config.z_width)
        self.synthesis = Synthesis(config)

    def broadcast(self, w: Tensor) -> Tensor:
        """One w for every layer: [B, D] to [B, L, D]."""
        return w[:, None, :].expand(-1, self.config.layers, -1)

    def codes(self, z: Tensor, psi: Tensor | float) -> Tensor:
        """Random vectors [B, Z] to codes [B, L, D], truncated by psi ([B, 1], or one for all)."""
        w = self.truncate(self.mapping(z), psi)
        # Repeating, not expanding: a graph's output must own its memory.
        return w[:, None, :].repeat(1, self.config.layers, 1)

    def mean_code(self) -> Tensor:
        """The mean latent, once for each layer, [L, D]."""
        return self.mapping.mean.repeat(self.config.layers, 1)

    def truncate(self, w: Tensor, psi: Tensor | float) -> Tensor:
        """Pull codes towards the mean latent by psi (1 leaves them, 0 gives the mean)."""
        return self.mapping.mean + psi * (w - self.mapping.mean)

    def forward(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Random vectors [B, Z] to images [B, 3, R, R]."""
        w: Tensor = self.truncate(self.mapping(z), psi)
        image: Tensor = self.synthesis(self.broadcast(w))
        return image
