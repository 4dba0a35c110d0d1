"""StyleGAN2's synthesis as it is published: the style modulates the weights of every sample.

    weight = scale · W · style, divided by its own deviation for each output (demodulation)

The samples' weights differ, so a batch becomes one convolution of as many groups as samples: maps
[1, B · inputs, H, W], weights [B · outputs, inputs, K, K]. It is the eager form of the authors' own
code and of the ports that projectors are built on; its images are those of `relatent_export.nets.stylegan2`.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 2.2.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.layers import GAIN, LEAK
from relatent_export.nets.modulation import ModulatedConv, SynthesisLayer, ToRGB
from relatent_export.nets.stylegan2 import Synthesis


class PublishedSynthesis(nn.Module):
    """W+ codes to images, with another synthesis' weights.

    Args:
        weights: the synthesis to take them from.
    """

    def __init__(self, weights: Synthesis) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, w: Tensor) -> Tensor:
        """Codes float32 [B, L, D] to images float32 [B, 3, R, R]."""
        layers = [cast(SynthesisLayer, layer) for layer in self.weights.layers]
        to_rgbs = [cast(ToRGB, to_rgb) for to_rgb in self.weights.to_rgbs]
        x = self.weights.const.repeat(len(w), 1, 1, 1)
        x = _styled(layers[0], x, w[:, 0])
        image = _rgb(to_rgbs[0], x, w[:, 1])
        for level in range(1, len(to_rgbs)):
            layer = 2 * level
            x = _styled(layers[layer - 1], x, w[:, layer - 1])
            x = _styled(layers[layer], x, w[:, layer])
            coarser = F.conv_transpose2d(image, to_rgbs[level].fir, stride=2, padding=1, groups=3)
            image = coarser + _rgb(to_rgbs[level], x, w[:, layer + 1])
        return image


def _styled(layer: SynthesisLayer, x: Tensor, w: Tensor) -> Tensor:
    x = _modulated(layer.conv, x, w, demodulate=True)
    if layer.noise_strength is not None:
        x = x + layer.noise_strength * layer.noise
    return F.leaky_relu(x + layer.bias[None, :, None, None], LEAK) * GAIN


def _rgb(layer: ToRGB, x: Tensor, w: Tensor) -> Tensor:
    return _modulated(layer.conv, x, w, demodulate=False) + layer.bias[None, :, None, None]


def _modulated(conv: ModulatedConv, x: Tensor, w: Tensor, *, demodulate: bool) -> Tensor:
    """[B, inputs, H, W] to [B, outputs, H, W], or twice the side when upsampling."""
    batch, inputs, height, width = x.shape
    weight = conv.gain * conv.weight * conv.style(w)[:, None, :, None, None]
    if demodulate:
        weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    outputs, kernel = weight.shape[1], weight.shape[3:]
    x = x.reshape(1, batch * inputs, height, width)
    if not conv.up:
        weight = weight.reshape(batch * outputs, inputs, *kernel)
        x = F.conv2d(x, weight, padding=conv.padding, groups=batch)
        return x.reshape(batch, outputs, height, width)
    weight = weight.transpose(1, 2).reshape(batch * inputs, outputs, *kernel)
    x = F.conv_transpose2d(x, weight, stride=2, groups=batch)
    x = x.reshape(batch, outputs, *x.shape[2:])
    return F.conv2d(x, conv.fir, padding=1, groups=outputs)
