"""StyleGAN2's generator: mapping and synthesis, of any width and resolution.

One formulation serves training, export and refinement: the style modulates the *activations* and
the demodulation factor is computed from the squared styles, so convolution weights stay constant
(no per-sample weights, no grouped convolution, any batch size). It equals the published per-sample
weight modulation exactly:

    demodulation_o = rsqrt(sum_i s_i² · sum_k W_oik² + 1e-8)

The demodulation factor is positive and a leaky ReLU positively homogeneous, so the factor is taken
past the activation and joins the next layer's style: one pass over the maps fewer, and two fewer
in the gradient.

Published in Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020),
section 2.2 and figure 7 (skip architecture).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.nets.layers import GAIN, LEAK, EqualizedLinear, fir_kernel


@dataclass(frozen=True)
class GeneratorConfig:
    """The shape of a generator.

    Attributes:
        resolution: side of the image in pixels, a power of two from 8.
        latent_width: width of z and of w.
        mapping_layers: fully connected layers of the mapping network.
        channels: feature maps at each resolution from 4 up to `resolution`.
        noise: whether each layer adds its constant noise map.
    """

    resolution: int
    latent_width: int
    mapping_layers: int
    channels: tuple[int, ...]
    noise: bool = False

    def __post_init__(self) -> None:
        levels = int(math.log2(self.resolution)) - 1
        if 2 ** (levels + 1) != self.resolution or levels < 2:
            raise ValueError(f"resolution: expected a power of two from 8, got {self.resolution}")
        if len(self.channels) != levels:
            raise ValueError(f"channels: expected {levels} widths, got {len(self.channels)}")

    @property
    def layers(self) -> int:
        """Rows of a W+ code: one for each convolution, one for the last colour layer."""
        return 2 * len(self.channels)


class Mapping(nn.Module):
    """z to w: normalise to unit second moment, then fully connected layers at a slow rate."""

    mean: Tensor

    def __init__(self, width: int, layers: int, learning_rate: float = 0.01) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EqualizedLinear(width, width, learning_rate=learning_rate) for _ in range(layers)
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


class Maps(NamedTuple):
    """Feature maps as a product that is not taken yet: `values * scale[:, :, None, None]`.

    Attributes:
        values: [B, C, H, W].
        scale: float32 [B, C], positive; None for ones.
    """

    values: Tensor
    scale: Tensor | None

    def with_scale(self, style: Tensor) -> Tensor:
        """What `values` are to be multiplied by when their channels are styled, [B, C]."""
        return style if self.scale is None else style * self.scale


class ModulatedConv(nn.Module):
    """A convolution whose input channels are scaled by a style taken from w."""

    fir: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, width: int, *, up: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.style = EqualizedLinear(width, inputs, bias=1.0)
        self.gain = 1 / math.sqrt(inputs * kernel * kernel)
        self.up, self.padding = up, kernel // 2
        self.register_buffer("fir", fir_kernel(outputs, 4.0) if up else torch.empty(0), persistent=False)

    def forward(self, maps: Maps, style: Tensor) -> Tensor:
        """Convolve, without demodulation.

        Args:
            maps: of `inputs` channels.
            style: [B, inputs].

        Returns:
            [B, outputs, H, W], or twice the side when upsampling.
        """
        x = maps.values
        x = x * maps.with_scale(style)[:, :, None, None].to(x.dtype)
        weight = (self.weight * self.gain).to(x.dtype)
        if not self.up:
            return F.conv2d(x, weight, padding=self.padding)
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        return F.conv2d(x, self.fir.to(x.dtype), padding=1, groups=x.shape[1])

    def deviation(self, style: Tensor) -> Tensor:
        """What demodulation divides by, [B, outputs]: the outputs' deviation for unit inputs."""
        weight = self.weight * self.gain
        energy = (style * style) @ (weight * weight).sum((2, 3)).t()
        return torch.sqrt(energy + 1e-8)


class SynthesisLayer(nn.Module):
    """Modulated convolution, constant noise where the model has it, bias, leaky ReLU."""

    noise: Tensor

    def __init__(
        self, inputs: int, outputs: int, resolution: int, width: int, *, up: bool, noise: bool
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, width, up=up)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(())) if noise else None
        if noise:
            self.register_buffer("noise", torch.randn(1, 1, resolution, resolution))

    def forward(self, maps: Maps, w: Tensor) -> Maps:
        """Maps of `inputs` channels and w [B, D] to maps of `outputs` channels, R on a side."""
        style = self.conv.style(w)
        x = self.conv(maps, style)
        # y / deviation + shift, activated, is (y + shift * deviation), activated, / deviation.
        deviation = self.conv.deviation(style)
        shift = (self.bias * deviation)[:, :, None, None]
        if self.noise_strength is not None:
            shift = shift + self.noise * (self.noise_strength * deviation[:, :, None, None])
        return Maps(F.leaky_relu(x + shift.to(x.dtype), LEAK), GAIN / deviation)


class ToRGB(nn.Module):
    """Feature maps to colour, added to the upsampled colours of the coarser levels."""

    fir: Tensor

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, 3, 1, width)
        self.bias = nn.Parameter(torch.zeros(3))
        self.register_buffer("fir", fir_kernel(3, 4.0), persistent=False)

    def forward(self, maps: Maps, w: Tensor, image: Tensor | None) -> Tensor:
        """Maps R on a side, w [B, D] and coarser colours [B, 3, R / 2, R / 2] to [B, 3, R, R]."""
        # Three rows of weights: styling them is cheaper than styling the maps.
        x, style = maps.values, maps.with_scale(self.conv.style(w))
        weight = (self.conv.weight[:, :, 0, 0] * self.conv.gain) * style[:, None, :]
        colour = (weight.to(x.dtype) @ x.flatten(2)).reshape(-1, 3, *x.shape[2:]).float()
        colour = colour + self.bias[None, :, None, None]
        if image is None:
            return colour
        return colour + F.conv_transpose2d(image, self.fir, stride=2, padding=1, groups=3)


class Synthesis(nn.Module):
    """W+ codes to images."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        channels, width, noise = config.channels, config.latent_width, config.noise
        self.constant = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.layers = nn.ModuleList(
            [SynthesisLayer(channels[0], channels[0], 4, width, up=False, noise=noise)]
        )
        self.colours = nn.ModuleList([ToRGB(channels[0], width)])
        for level in range(1, len(channels)):
            inputs, outputs, side = channels[level - 1], channels[level], 4 * 2**level
            self.layers.append(SynthesisLayer(inputs, outputs, side, width, up=True, noise=noise))
            self.layers.append(SynthesisLayer(outputs, outputs, side, width, up=False, noise=noise))
            self.colours.append(ToRGB(outputs, width))

    def forward(self, w: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Synthesise images.

        Args:
            w: float32 [B, L, D].
            dtype: of the feature maps; colours are summed in float32 whatever it is.

        Returns:
            float32 [B, 3, R, R], nominally in [-1, 1], not clamped.
        """
        x = self.constant.expand(w.shape[0], -1, -1, -1).to(dtype)
        if dtype is torch.bfloat16:
            x = x.contiguous(memory_format=torch.channels_last)
        rows = w.unbind(1)  # its gradient is one stack; indexing's would be a scatter a row
        maps: Maps = self.layers[0](Maps(x, None), rows[0])
        image: Tensor = self.colours[0](maps, rows[1], None)
        for level in range(1, len(self.colours)):
            row = 2 * level
            maps = self.layers[row - 1](maps, rows[row - 1])
            maps = self.layers[row](maps, rows[row])
            # The colour layer shares its row with the next level's first convolution.
            image = self.colours[level](maps, rows[row + 1], image)
        return image


class Generator(nn.Module):
    """Mapping and synthesis together."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = Mapping(config.latent_width, config.mapping_layers)
        self.synthesis = Synthesis(config)

    def broadcast(self, w: Tensor) -> Tensor:
        """One w for every layer: [B, D] to [B, L, D]."""
        return w[:, None, :].expand(-1, self.config.layers, -1)

    def truncate(self, w: Tensor, psi: Tensor | float) -> Tensor:
        """Pull codes towards the mean latent by psi (1 leaves them, 0 gives the mean)."""
        return self.mapping.mean + psi * (w - self.mapping.mean)

    def forward(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Random vectors [B, Z] to images [B, 3, R, R]."""
        w: Tensor = self.truncate(self.mapping(z), psi)
        image: Tensor = self.synthesis(self.broadcast(w))
        return image
