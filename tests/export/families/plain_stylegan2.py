"""StyleGAN2's equations as they were published, slowly: the weights of every sample are modulated and
demodulated, upsampling puts zeros between the pixels and filters them. From tensors named as
rosinality's code names them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.fixtures.checkpoints.stylegan2 import FILTER, Tensors


def mapping(tensors: Tensors, z: Tensor) -> Tensor:
    """z [B, Z] to w [B, D]."""
    x = z / torch.sqrt((z**2).mean(1, keepdim=True) + 1e-8)
    i = 1
    while f"style.{i}.weight" in tensors:
        weight, bias = tensors[f"style.{i}.weight"] * 0.01, tensors[f"style.{i}.bias"] * 0.01
        x = x @ weight.t() / math.sqrt(weight.shape[1]) + bias
        x = torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)
        i += 1
    return x


def synthesis(tensors: Tensors, w: Tensor) -> Tensor:
    """W+ codes [B, L, D] to images."""
    x = tensors["input.input"].repeat(len(w), 1, 1, 1)
    x = _layer(tensors, "conv1", "noises.noise_0", x, w[:, 0], up=False)
    image = _colour(tensors, "to_rgb1", x, w[:, 1])
    level = 0
    while f"to_rgbs.{level}.bias" in tensors:
        for half in (0, 1):
            index = 2 * level + half
            noise = f"noises.noise_{index + 1}"
            x = _layer(tensors, f"convs.{index}", noise, x, w[:, index + 1], up=half == 0)
        image = upsampled(image) + _colour(tensors, f"to_rgbs.{level}", x, w[:, 2 * level + 3])
        level += 1
    return image


def upsampled(x: Tensor) -> Tensor:
    """Zeros between the pixels, then the filter [1, 3, 3, 1] with a gain of 4."""
    batch, channels, side, _ = x.shape
    spread = torch.zeros(batch, channels, 2 * side, 2 * side)
    spread[:, :, ::2, ::2] = x
    return _filtered(F.pad(spread, (2, 1, 2, 1)))


def _filtered(x: Tensor) -> Tensor:
    kernel = FILTER[:, None] * FILTER / FILTER.sum() ** 2 * 4
    return F.conv2d(x, kernel.expand(x.shape[1], 1, 4, 4), groups=x.shape[1])


def _layer(tensors: Tensors, name: str, noise: str, x: Tensor, w: Tensor, *, up: bool) -> Tensor:
    x = _modulated(tensors, name, x, w, demodulate=True, up=up)
    x = x + tensors[f"{name}.noise.weight"] * tensors[noise]
    x = x + tensors[f"{name}.activate.bias"][None, :, None, None]
    return torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)


def _colour(tensors: Tensors, name: str, x: Tensor, w: Tensor) -> Tensor:
    return _modulated(tensors, name, x, w, demodulate=False, up=False) + tensors[f"{name}.bias"]


def _modulated(tensors: Tensors, name: str, x: Tensor, w: Tensor, *, demodulate: bool, up: bool) -> Tensor:
    weight = tensors[f"{name}.conv.weight"][0]
    style = w @ tensors[f"{name}.conv.modulation.weight"].t() / math.sqrt(w.shape[1])
    style = style + tensors[f"{name}.conv.modulation.bias"]
    scaled = weight / math.sqrt(weight[0].numel())
    return torch.cat(
        [_one(x[i : i + 1], scaled * style[i][:, None, None], demodulate, up) for i in range(len(x))]
    )


def _one(x: Tensor, weight: Tensor, demodulate: bool, up: bool) -> Tensor:
    if demodulate:
        weight = weight / torch.sqrt((weight**2).sum((1, 2, 3), keepdim=True) + 1e-8)
    if not up:
        return F.conv2d(x, weight, padding=weight.shape[2] // 2)
    # A transposed convolution of stride 2 puts a weighted kernel down for every pixel: zeros between
    # them, then the kernel turned by half a turn; then the filter.
    _, channels, side, _ = x.shape
    spread = torch.zeros(1, channels, 2 * side - 1, 2 * side - 1)
    spread[:, :, ::2, ::2] = x
    full = F.conv2d(F.pad(spread, (2, 2, 2, 2)), weight.flip(2, 3))
    return _filtered(F.pad(full, (1, 1, 1, 1)))
