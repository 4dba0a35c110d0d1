"""LPIPS by its published equations, from tensors under their published names: plain, slow, in float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]

VGG16_PLAN: tuple[tuple[int, ...], ...] = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


def windows(x: Tensor, size: int, stride: int) -> Tensor:
    """Every window of a map [B, C, H, W] as [B, C, h, w, size, size]."""
    return x.unfold(2, size, stride).unfold(3, size, stride)


def convolve(x: Tensor, tensors: Tensors, name: str, stride: int, padding: int) -> Tensor:
    """A convolution and a ReLU."""
    weight, bias = tensors[f"{name}.weight"].double(), tensors[f"{name}.bias"].double()
    batch, channels, height, width = x.shape
    padded = x.new_zeros(batch, channels, height + 2 * padding, width + 2 * padding)
    padded[:, :, padding : padding + height, padding : padding + width] = x
    y = torch.einsum("bchwij,ocij->bohw", windows(padded, weight.shape[-1], stride), weight)
    return (y + bias[:, None, None]).clamp(min=0)


def vgg16_maps(x: Tensor, tensors: Tensors, name: str) -> list[Tensor]:
    """ReLUs 1_2, 2_2, 3_3, 4_3 and 5_3; `name` says how convolution `i` is called."""
    maps: list[Tensor] = []
    for stage in VGG16_PLAN:
        if maps:
            x = windows(x, 2, 2).amax((4, 5))
        for index in stage:
            x = convolve(x, tensors, name.format(i=index), 1, 1)
        maps.append(x)
    return maps


def alexnet_maps(x: Tensor, tensors: Tensors, name: str) -> list[Tensor]:
    """ReLUs 1 to 5."""
    one = convolve(x, tensors, name.format(i=0), 4, 2)
    two = convolve(windows(one, 3, 2).amax((4, 5)), tensors, name.format(i=3), 1, 2)
    three = convolve(windows(two, 3, 2).amax((4, 5)), tensors, name.format(i=6), 1, 1)
    four = convolve(three, tensors, name.format(i=8), 1, 1)
    return [one, two, three, four, convolve(four, tensors, name.format(i=10), 1, 1)]


def scaled(image: Tensor) -> Tensor:
    """Pixels in [-1, 1] as ImageNet's networks take them."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    return (image.double() - shift.double()[:, None, None]) / scale.double()[:, None, None]


def keras_scaled(image: Tensor) -> Tensor:
    """Pixels in [-1, 1] as Keras's VGG16 takes them: blue, green, red of 255, without their means."""
    means = torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64)[:, None, None]
    return (image.double() + 1)[:, [2, 1, 0]] * 255 / 2 - means


def distances(maps: Sequence[Tensor], others: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The distance of each sample in each map, [B, maps]."""
    found = []
    for one, other, weight in zip(maps, others, weights, strict=True):
        units = [x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in (one, other)]
        squared = (units[0] - units[1]).square()
        found.append((squared * weight.double().reshape(-1, 1, 1)).sum(1).mean((1, 2)))
    return torch.stack(found, 1)
