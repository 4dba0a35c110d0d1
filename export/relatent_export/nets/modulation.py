"""StyleGAN2's layers: convolutions that a style modulates, and their activations.

One formulation serves training, export and refinement: the style modulates the *activations* and
the demodulation factor is computed from the squared styles, so convolution weights stay constant
(no per-sample weights, no grouped convolution, any batch size). It equals the published per-sample
weight modulation exactly:

    demodulation_o = rsqrt(sum_i s_i² · sum_k W_oik² + 1e-8)

The demodulation factor is positive and a leaky ReLU positively homogeneous, so the factor is taken
past the activation and joins the next layer's style: one pass over the maps fewer, and two fewer
in the gradient.

In half precision all of this is computed at unit scale. Every layer is homogeneous in its style and
in each row of its weights, so both are divided by their lengths, in float32, and the demodulation
factor, divided by the same, makes up for it exactly: the maps neither overflow nor underflow,
whatever the size of a style. Styles, factors and RGB stay in float32.

Published in Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020),
section 2.2 and figure 7 (skip architecture).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.layers import GAIN, LEAK, EqualizedLinear, fir_kernel

_EPSILON = 1e-8
"""Published: what is added before the square root of demodulation."""

_NEVER_ZERO = 1e-12
"""Added to a squared length that is divided by. What is divided is multiplied by as much again, so it
changes no result."""


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

    def features(self) -> Tensor:
        """The product, float32 [B, C, H, W]."""
        values = self.values.float()
        return values if self.scale is None else values * self.scale[:, :, None, None]

    def plus(self, offset: Tensor) -> Maps:
        """The same with an offset float32 [B, C, H, W] added to the product."""
        if self.scale is not None:
            offset = offset / self.scale[:, :, None, None]
        return Maps(self.values + offset.to(self.values.dtype), self.scale)


class Unfinished(NamedTuple):
    """Images on their way through synthesis.

    Attributes:
        maps: the features after the last layer.
        image: the RGB so far, [B, 3, H, W]; None before the first level's.
    """

    maps: Maps
    image: Tensor | None


Change: TypeAlias = Callable[[int, Maps], Maps]
"""What is done to features after a layer, told by its number."""


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
            [B, outputs, H, W], or twice the size when upsampling; in half precision divided by `lengths`.
        """
        x = maps.values
        x = x * maps.with_scale(style)[:, :, None, None].to(x.dtype)
        weight = self.weight * self.gain
        if x.dtype is torch.float16:
            weight = weight / self.lengths()[:, None, None, None]
        weight = weight.to(x.dtype)
        if not self.up:
            return F.conv2d(x, weight, padding=self.padding)
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        return F.conv2d(x, self.fir.to(x.dtype), padding=1, groups=x.shape[1])

    def lengths(self) -> Tensor:
        """The length of each output's weights, [outputs]."""
        weight = self.weight * self.gain
        return torch.sqrt((weight * weight).sum((1, 2, 3)) + _NEVER_ZERO)

    def demodulation(self, style: Tensor) -> Tensor:
        """What demodulation divides by, [B, outputs]: the outputs' standard deviation for unit inputs."""
        weight = self.weight * self.gain
        energy = (style * style) @ (weight * weight).sum((2, 3)).t()
        return torch.sqrt(energy + _EPSILON)

    def unit_demodulation(self, unit: Tensor, size: Tensor) -> Tensor:
        """`demodulation(unit * size)` divided by `size` and `lengths`.

        Args:
            unit: a style of unit scale, [B, inputs].
            size: what it was divided by, [B, 1].

        Returns:
            [B, outputs], near one.
        """
        lengths = self.lengths()
        weight = self.weight * (self.gain / lengths)[:, None, None, None]
        energy = (unit * unit) @ (weight * weight).sum((2, 3)).t()
        share = size * lengths
        return torch.sqrt(energy + _EPSILON / (share * share))


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
        """Maps of `inputs` channels and w [B, D] to maps of `outputs` channels, R x R."""
        return self.styled(maps, self.conv.style(w))

    def styled(self, maps: Maps, style: Tensor) -> Maps:
        """The same by a style [B, inputs] in place of w."""
        if maps.values.dtype is torch.float16:
            size = torch.sqrt((style * style).mean(1, keepdim=True) + _NEVER_ZERO)
            style = style / size
            x = self.conv(maps, style)
            demodulation = self.conv.unit_demodulation(style, size)
        else:
            x = self.conv(maps, style)
            demodulation = self.conv.demodulation(style)
        # y / demodulation + shift, activated, is (y + shift * demodulation), activated, / demodulation.
        shift = (self.bias * demodulation)[:, :, None, None].to(x.dtype)
        if self.noise_strength is not None:
            strength = (self.noise_strength * demodulation[:, :, None, None]).to(x.dtype)
            shift = shift + self.noise.to(x.dtype) * strength
        return Maps(F.leaky_relu(x + shift, LEAK), GAIN / demodulation)


class ToRGB(nn.Module):
    """Feature maps to RGB, added to the upsampled RGB of the coarser levels."""

    fir: Tensor

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, 3, 1, width)
        self.bias = nn.Parameter(torch.zeros(3))
        self.register_buffer("fir", fir_kernel(3, 4.0), persistent=False)

    def forward(self, maps: Maps, w: Tensor, image: Tensor | None) -> Tensor:
        """Maps of R x R, w [B, D] and coarser RGB [B, 3, R / 2, R / 2] to [B, 3, R, R]."""
        return self.styled(maps, self.conv.style(w), image)

    def styled(self, maps: Maps, style: Tensor, image: Tensor | None) -> Tensor:
        """The same by a style [B, inputs] in place of w."""
        # Three rows of weights: styling them is cheaper than styling the maps.
        x, style = maps.values, maps.with_scale(style)
        weight = (self.conv.weight[:, :, 0, 0] * self.conv.gain) * style[:, None, :]
        lengths = None
        if x.dtype is torch.float16:
            lengths = torch.sqrt((weight * weight).sum(2, keepdim=True) + _NEVER_ZERO)
            weight = weight / lengths
        rgb = (weight.to(x.dtype) @ x.flatten(2)).reshape(-1, 3, *x.shape[2:]).float()
        if lengths is not None:
            rgb = rgb * lengths[..., None]
        rgb = rgb + self.bias[None, :, None, None]
        if image is None:
            return rgb
        return rgb + F.conv_transpose2d(image, self.fir, stride=2, padding=1, groups=3)
