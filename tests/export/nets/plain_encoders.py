"""The encoders' published equations, plain and slow, from raw tensors under their published names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Tensors = Mapping[str, Tensor]


def assert_close(ours: Tensor, plain: Tensor) -> None:
    assert ours.shape == plain.shape
    assert ours.dtype == torch.float32
    assert float((ours - plain).abs().max()) <= 1e-4 * float(plain.abs().max())


def normalise(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    """(x - mean) / sqrt(variance + 1e-5), scaled and shifted, channel by channel."""
    answer = torch.empty_like(x)
    for channel in range(x.shape[1]):
        mean, variance = tensors[f"{name}.running_mean"][channel], tensors[f"{name}.running_var"][channel]
        scaled = (x[:, channel] - mean) / (variance + 1e-5).sqrt()
        answer[:, channel] = scaled * tensors[f"{name}.weight"][channel] + tensors[f"{name}.bias"][channel]
    return answer


def prelu(slope: Tensor, x: Tensor) -> Tensor:
    return torch.where(x > 0, x, slope[None, :, None, None] * x)


def ir_se_maps(tensors: Tensors, units: tuple[int, ...], image: Tensor) -> list[Tensor]:
    """Every unit's output; a stage's first unit halves the side."""
    x = F.conv2d(image, tensors["input_layer.0.weight"], padding=1)
    x = prelu(tensors["input_layer.2.weight"], normalise(tensors, "input_layer.1", x))
    maps = []
    for index, stride in enumerate(s for count in units for s in [2] + [1] * (count - 1)):
        unit = f"body.{index}.res_layer"
        y = F.conv2d(normalise(tensors, f"{unit}.0", x), tensors[f"{unit}.1.weight"], padding=1)
        y = prelu(tensors[f"{unit}.2.weight"], y)
        y = F.conv2d(y, tensors[f"{unit}.3.weight"], stride=stride, padding=1)
        y = normalise(tensors, f"{unit}.4", y)
        gate = F.conv2d(F.adaptive_avg_pool2d(y, 1), tensors[f"{unit}.5.fc1.weight"]).relu()
        y = y * F.conv2d(gate, tensors[f"{unit}.5.fc2.weight"]).sigmoid()
        shortcut = f"body.{index}.shortcut_layer"
        if f"{shortcut}.0.weight" in tensors:
            x = F.conv2d(x, tensors[f"{shortcut}.0.weight"], stride=stride)
            x = y + normalise(tensors, f"{shortcut}.1", x)
        else:
            x = y + F.max_pool2d(x, 1, stride)
        maps.append(x)
    return maps


def resnet_maps(tensors: Tensors, units: tuple[int, ...], image: Tensor) -> list[Tensor]:
    """Every unit's output; the entry halves the side, and so does the first unit of later stages."""
    x = F.conv2d(image, tensors["conv1.weight"], stride=2, padding=3)
    x = prelu(tensors["relu.weight"], normalise(tensors, "bn1", x))
    maps = []
    strides = [2 if i == 0 and stage > 0 else 1 for stage, count in enumerate(units) for i in range(count)]
    for index, stride in enumerate(strides):
        y = F.conv2d(x, tensors[f"body.{index}.conv1.weight"], stride=stride, padding=1)
        y = normalise(tensors, f"body.{index}.bn1", y).relu()
        y = F.conv2d(y, tensors[f"body.{index}.conv2.weight"], padding=1)
        y = normalise(tensors, f"body.{index}.bn2", y)
        if f"body.{index}.downsample.0.weight" in tensors:
            x = F.conv2d(x, tensors[f"body.{index}.downsample.0.weight"], stride=stride)
            x = normalise(tensors, f"body.{index}.downsample.1", x)
        x = (x + y).relu()
        maps.append(x)
    return maps


def style(tensors: Tensors, row: int, x: Tensor) -> Tensor:
    """A head: strided convolutions until one pixel is left, then weights scaled by 1 / sqrt(inputs)."""
    conv = 0
    while x.shape[-1] > 1:
        name = f"styles.{row}.convs.{conv}"
        x = F.conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], stride=2, padding=1)
        x = torch.where(x > 0, x, 0.01 * x)
        conv += 2
    return equalised(tensors, f"styles.{row}.linear", x[:, :, 0, 0])


def equalised(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    return x @ tensors[f"{name}.weight"].T / x.shape[1] ** 0.5 + tensors[f"{name}.bias"]


def pyramid_rows(tensors: Tensors, taps: tuple[int, int, int], maps: list[Tensor]) -> Tensor:
    """Rows 0 to 2 are read from the coarsest map, 3 to 6 with the middle one added, then with the finest."""

    def add(coarser: Tensor, lateral: str, finer: Tensor) -> Tensor:
        x = F.conv2d(finer, tensors[f"{lateral}.weight"], tensors[f"{lateral}.bias"])
        return x + F.interpolate(coarser, size=x.shape[2:], mode="bilinear", align_corners=True)

    fine, middle, coarse = (maps[tap] for tap in taps)
    middle = add(coarse, "latlayer1", middle)
    fine = add(middle, "latlayer2", fine)
    rows = sum(1 for name in tensors if name.endswith("linear.bias"))
    source = [coarse] * 3 + [middle] * 4 + [fine] * max(rows - 7, 0)
    return torch.stack([style(tensors, row, source[row]) for row in range(rows)], 1)


def coarsest_rows(tensors: Tensors, maps: list[Tensor]) -> Tensor:
    rows = sum(1 for name in tensors if name.endswith("linear.bias"))
    return torch.stack([style(tensors, row, maps[-1]) for row in range(rows)], 1)


def from_first(rows: Tensor) -> Tensor:
    """e4e's form: the first row, and the others as offsets from it."""
    codes = rows[:, :1].repeat(1, rows.shape[1], 1)
    for row in range(1, rows.shape[1]):
        codes[:, row] += rows[:, row]
    return codes


def restyle(
    encoder: Callable[[Tensor], Tensor],
    synthesis: Callable[[Tensor], Tensor],
    mean: Tensor,
    image: Tensor,
    iterations: int,
) -> Tensor:
    """`encoder` gives what is added to the code; the image of `mean`, [L, D], is looked at first."""
    code = mean.expand(len(image), -1, -1)
    seen = synthesis(code)
    for _ in range(iterations):
        code = code + encoder(torch.cat([image, F.adaptive_avg_pool2d(seen, image.shape[-1])], 1))
        seen = synthesis(code)
    return code


def arcface(tensors: Tensors, units: tuple[int, ...], face: Tensor) -> Tensor:
    """The embedding of faces, cut out and shrunk."""
    x = normalise(tensors, "output_layer.0", ir_se_maps(tensors, units, face)[-1]).flatten(1)
    x = F.linear(x, tensors["output_layer.3.weight"], tensors["output_layer.3.bias"])
    x = normalise(tensors, "output_layer.4", x)
    return x / x.square().sum(1, keepdim=True).sqrt()
