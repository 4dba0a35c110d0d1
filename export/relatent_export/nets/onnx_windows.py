"""ONNX's operators that go over an image in windows, or change its size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from relatent_export.nets.onnx_shapes import Attributes, Host, numbers

_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """One number a channel, [C], as it meets maps [B, C, ...]."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def _padded(attributes: Attributes, x: Tensor, window: list[int], fill: float = 0.0) -> Tensor:
    """Maps with the border that a node asks for before it goes over them."""
    pads = list(attributes.get("pads", [0] * (2 * len(window))))
    rule = attributes.get("auto_pad", b"NOTSET").decode()
    if rule in ("SAME_UPPER", "SAME_LOWER"):
        strides = attributes.get("strides", [1] * len(window))
        sides = x.shape[2:]
        total = [
            max(0, (-(-side // step) - 1) * step + reach - side)
            for side, step, reach in zip(sides, strides, window, strict=True)
        ]
        less, more = [each // 2 for each in total], [each - each // 2 for each in total]
        pads = [*less, *more] if rule == "SAME_UPPER" else [*more, *less]
    if not any(pads):
        return x
    count = len(window)
    return F.pad(x, [pads[i + at] for i in reversed(range(count)) for at in (0, count)], value=fill)


def _reach(attributes: Attributes, kernel: list[int]) -> list[int]:
    """How far windows go, with the gaps between their pixels."""
    gaps = attributes.get("dilations", [1] * len(kernel))
    return [gap * (size - 1) + 1 for gap, size in zip(gaps, kernel, strict=True)]


def _conv(attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    convolve: Callable[..., Tensor] = (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 3]
    axes = x.ndim - 2
    window = _reach(attributes, list(weight.shape[2:]))
    strides, gaps = attributes.get("strides", [1] * axes), attributes.get("dilations", [1] * axes)
    pads = attributes.get("pads", [0] * 2 * axes)
    group, even = attributes.get("group", 1), list(pads[:axes]) == list(pads[axes:])
    if even and attributes.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID"):
        return convolve(x, weight, bias, strides, pads[:axes], gaps, group)
    return convolve(_padded(attributes, x, window), weight, bias, strides, 0, gaps, group)


def _average_pool(attributes: Attributes, x: Tensor) -> Tensor:
    """A mean over windows: of blocks, or by a convolution with what each pixel counts."""
    window = list(attributes["kernel_shape"])
    strides = list(attributes.get("strides", [1] * len(window)))
    _refuse(attributes, "ceil_mode", 0)
    _refuse(attributes, "dilations", [1] * len(window))
    padded = _padded(attributes, x, window)
    batch, channels, height, width = padded.shape
    if padded is x and strides == window and height % window[0] == 0 and width % window[1] == 0:
        rows, columns = window
        blocks = x.reshape(batch, channels, height // rows, rows, width // columns, columns)
        return torch.mean(blocks, (3, 5))
    ones = torch.ones(channels, 1, *window, dtype=x.dtype)
    total = F.conv2d(padded, ones, None, strides, groups=channels)
    if attributes.get("count_include_pad", 0) or padded is x:
        return torch.div(total, window[0] * window[1])
    pixels = _padded(attributes, torch.ones(1, 1, *x.shape[2:], dtype=x.dtype), window)
    counts: Tensor = F.conv2d(pixels, ones[:1], None, strides)
    return total / counts


def _max_pool(attributes: Attributes, x: Tensor) -> Tensor:
    window = list(attributes["kernel_shape"])
    _refuse(attributes, "ceil_mode", 0)
    strides = attributes.get("strides", [1] * len(window))
    padded = _padded(attributes, x, _reach(attributes, window), fill=-1e30)
    return F.max_pool2d(padded, window, strides, 0, attributes.get("dilations", 1))


def _refuse(attributes: Attributes, name: str, expected: Any) -> None:
    found = attributes.get(name, expected)
    if found != expected:
        raise ValueError(f"expected {name} of {expected}, got {found}")


def _pad(
    attributes: Attributes,
    x: Tensor,
    pads: Host | None = None,
    value: Host | None = None,
    axes: Host | None = None,
) -> Tensor:
    given = list(attributes["pads"]) if pads is None else numbers(pads)
    chosen = list(range(x.ndim)) if axes is None else [axis % x.ndim for axis in numbers(axes)]
    borders = {axis: (given[i], given[i + len(chosen)]) for i, axis in enumerate(chosen)}
    widths = [width for axis in reversed(range(x.ndim)) for width in borders.get(axis, (0, 0))]
    mode = attributes.get("mode", b"constant").decode()
    if mode not in _MODES:
        raise ValueError(f"expected a mode of {', '.join(_MODES)}, got {mode}")
    if mode != "constant":  # PyTorch wants no axes but those that get a border
        return F.pad(x, widths[: 2 * (x.ndim - 2)], _MODES[mode])
    fill = attributes.get("value", 0.0) if value is None else float(value.item())
    return F.pad(x, widths, value=fill)


def _resize(
    attributes: Attributes,
    x: Tensor,
    roi: Host | None = None,
    scales: Host | None = None,
    sizes: Host | None = None,
) -> Tensor:
    """Each axis by a product with a matrix of weights."""
    mode = attributes.get("mode", b"nearest").decode()
    rule = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    _refuse(attributes, "antialias", 0)
    if mode not in ("nearest", "linear") or rule not in ("half_pixel", "asymmetric", "align_corners"):
        raise ValueError(
            "expected a mode of nearest or linear, and coordinates of half_pixel, asymmetric or "
            f"align_corners, got {mode} and {rule}"
        )
    rounding = attributes.get("nearest_mode", b"round_prefer_floor").decode()
    if sizes is not None and sizes.size:
        wanted = numbers(sizes)[-2:]
    else:
        assert scales is not None
        wanted = [int(side * scale) for side, scale in zip(x.shape[2:], numbers(scales)[-2:], strict=True)]
    height, width = (
        torch.from_numpy(resizing_weights(int(side), int(size), mode, rule, rounding)).to(x.dtype)
        for side, size in zip(x.shape[2:], wanted, strict=True)
    )
    return height @ x @ width.t()


def resizing_weights(side: int, size: int, mode: str, rule: str, rounding: str) -> Host:
    """Weights of a line's pixels in those of a line of another length, float32 [size, side]."""
    places = np.arange(size)
    match rule:
        case "half_pixel":
            at = (places + 0.5) * side / size - 0.5
        case "asymmetric":
            at = places * (side / size)
        case _:
            at = places * ((side - 1) / max(1, size - 1))
    if mode == "nearest":
        nearest = {
            "floor": np.floor(at),
            "ceil": np.ceil(at),
            "round_prefer_ceil": np.floor(at + 0.5),
            "round_prefer_floor": np.ceil(at - 0.5),
        }[rounding]
        return np.asarray(np.eye(side, dtype=np.float32)[np.clip(nearest, 0, side - 1).astype(int)])
    below = np.clip(np.floor(at), 0, side - 1).astype(int)
    above, share = np.minimum(below + 1, side - 1), np.clip(at - below, 0, 1)[:, None]
    line = np.eye(side)
    return np.asarray(line[below] * (1 - share) + line[above] * share, np.float32)


OPERATORS: Mapping[str, Callable[..., Tensor]] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "GlobalAveragePool": lambda attributes, x: x.mean(tuple(range(2, x.ndim)), keepdim=True),
    "MaxPool": _max_pool,
    "Pad": _pad,
    "Resize": _resize,
}
"""By name."""
