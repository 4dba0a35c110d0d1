"""StyleGAN1's equations as they were published, slowly: pixels are doubled by copying them, or each puts
down its own kernel; every map is normalised by its own mean and deviation. From tensors named as in
in-domain inversion's files, or in genforce's.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Tensors = dict[str, Tensor]


def mapping(tensors: Tensors, z: Tensor) -> Tensor:
    """z [B, Z] to all that the last layer gives, [B, D] or [B, L·D]."""
    x = z / torch.sqrt((z**2).mean(1, keepdim=True) + 1e-8)
    for i in range(len({name.split(".")[1] for name in tensors if name.startswith("mapping.")})):
        weight = _either(tensors, f"mapping.dense{i}.fc.weight", f"mapping.dense{i}.weight")
        bias = _either(tensors, f"mapping.dense{i}.wscale.bias", f"mapping.dense{i}.bias")
        x = _leaky(x @ weight.t() * (math.sqrt(2 / weight.shape[1]) * 0.01) + bias * 0.01)
    return x


def synthesis(tensors: Tensors, w: Tensor, transposed_from: int) -> Tensor:
    """W+ codes [B, L, D] to images, before any tanh."""
    x = tensors["synthesis.layer0.const"].repeat(len(w), 1, 1, 1)
    for k in range(w.shape[1]):
        name, side = f"synthesis.layer{k}", 4 << (k // 2)
        if k > 0:
            x = _convolved(tensors, name, x, doubling=k % 2 == 0, transposed=side >= transposed_from)
        x = _epilogue(tensors, name, x, w[:, k])
    last = f"synthesis.output{w.shape[1] // 2 - 1}"
    weight = _either(tensors, f"{last}.conv.weight", f"{last}.weight")[:, :, 0, 0]
    image = torch.einsum("oi,bihw->bohw", weight, x) / math.sqrt(x.shape[1])
    return image + tensors[f"{last}.bias"][None, :, None, None]


def _convolved(tensors: Tensors, name: str, x: Tensor, *, doubling: bool, transposed: bool) -> Tensor:
    weight = _either(tensors, f"{name}.conv.weight", f"{name}.weight")
    if transposed and doubling and f"{name}.epilogue.bias" in tensors:
        weight = weight.permute(3, 2, 0, 1)  # kept as [3, 3, I, O] there
    scaled = weight * math.sqrt(2 / weight[0].numel())
    if not doubling:
        return F.conv2d(x, scaled, padding=1)
    if transposed:
        return _blurred(_put_down(x, scaled))
    return _blurred(F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), scaled, padding=1))


def _put_down(x: Tensor, weight: Tensor) -> Tensor:
    """Each pixel, two apart from the next, puts down the kernel that four shifted ones add up to."""
    batch, _, side, _ = x.shape
    kernel = torch.zeros(*weight.shape[:2], 4, 4)
    for row in (0, 1):
        for column in (0, 1):
            kernel[:, :, row : row + 3, column : column + 3] += weight
    canvas = torch.zeros(batch, len(weight), 2 * side + 2, 2 * side + 2)
    for row in range(4):
        for column in range(4):
            share = torch.einsum("oi,bihw->bohw", kernel[:, :, row, column], x)
            canvas[:, :, row : row + 2 * side : 2, column : column + 2 * side : 2] += share
    return canvas[:, :, 1:-1, 1:-1]


def _blurred(x: Tensor) -> Tensor:
    side, padded = x.shape[2], F.pad(x, (1, 1, 1, 1))
    rows = sum(share * padded[:, :, i : i + side] for i, share in enumerate((0.25, 0.5, 0.25)))
    assert isinstance(rows, Tensor)
    columns = sum(share * rows[..., i : i + side] for i, share in enumerate((0.25, 0.5, 0.25)))
    assert isinstance(columns, Tensor)
    return columns


def _epilogue(tensors: Tensors, name: str, x: Tensor, w: Tensor) -> Tensor:
    before = f"{name}.epilogue" if f"{name}.epilogue.bias" in tensors else name
    x = x + tensors[f"{before}.apply_noise.noise"] * tensors[f"{before}.apply_noise.weight"][:, None, None]
    x = _leaky(x + tensors[f"{before}.bias"][:, None, None])
    mean, deviation = x.mean((2, 3)), torch.sqrt(x.var((2, 3), unbiased=False) + 1e-8)
    weight = _either(tensors, f"{before}.style_mod.dense.fc.weight", f"{before}.style.weight")
    bias = _either(tensors, f"{before}.style_mod.dense.wscale.bias", f"{before}.style.bias")
    style = w @ weight.t() / math.sqrt(w.shape[1]) + bias
    scale, shift = style[:, : x.shape[1]], style[:, x.shape[1] :]
    answer = torch.empty_like(x)
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            answer[i, c] = (x[i, c] - mean[i, c]) / deviation[i, c] * (scale[i, c] + 1) + shift[i, c]
    return answer


def _leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def _either(tensors: Tensors, name: str, other: str) -> Tensor:
    return tensors[name] if name in tensors else tensors[other]
