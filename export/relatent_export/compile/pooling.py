"""The gradient of max pooling without the indices of maxima.

PyTorch keeps where each maximum was and scatters the gradient there. ONNX Runtime takes a third longer
for that, and TensorRT has no such indices. Here each pixel is compared with the maximum of its window
instead, and pixels that equal it share the gradient. Where windows lie apart, maxima that are compared
are moved and never convolved, for a GPU may round what it convolves.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def max_pool_backward(
    gradient: Tensor,
    x: Tensor,
    kernel: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    ceil_mode: bool,
    indices: Tensor,
) -> Any:
    """A decomposition of `aten.max_pool2d_with_indices_backward`.

    Exact where a window has one maximum. Where it has several they get equal shares, and autograd gives
    all to the first; zeros after a ReLU, the usual case, get nothing in the end either way.

    Returns:
        The input's gradient; NotImplemented for windows that are padded, dilated or cut off.
    """
    stride = stride or kernel
    if ceil_mode or any(padding) or any(step != 1 for step in dilation):
        return NotImplemented
    apart = all(step == size for step, size in zip(stride, kernel, strict=True))
    if apart and all(side % size == 0 for side, size in zip(x.shape[2:], kernel, strict=True)):
        return _tiled(gradient, x, kernel)
    return _overlapping(gradient, x, kernel, stride)


def _tiled(gradient: Tensor, x: Tensor, kernel: list[int]) -> Tensor:
    """Each pixel is in one window: a window's values are spread over its pixels."""
    highest = F.max_pool2d(x, kernel, kernel)
    batch, channels, height, width = highest.shape
    rows, columns = kernel
    wide = torch.cat([highest[..., None]] * columns, 4).reshape(batch, channels, height, 1, width * columns)
    chosen = x.reshape(batch, channels, height, rows, width * columns) == wide
    mask = chosen.to(x.dtype).reshape(x.shape)
    ones = torch.ones(channels, 1, rows, columns, dtype=x.dtype)
    share = gradient / F.conv2d(mask, ones, None, kernel, groups=channels)
    return mask * F.conv_transpose2d(share, ones, None, kernel, groups=channels)


def _overlapping(gradient: Tensor, x: Tensor, kernel: list[int], stride: list[int]) -> Tensor:
    """A pixel may be in several windows: they are laid out pixel by pixel, then put back and summed."""
    batch, channels, height, width = gradient.shape
    pixels = kernel[0] * kernel[1]
    one_hot = torch.eye(pixels, dtype=x.dtype).reshape(pixels, 1, *kernel).repeat(channels, 1, 1, 1)
    windows = F.conv2d(x, one_hot, None, stride, groups=channels)
    windows = windows.reshape(batch, channels, pixels, height, width)
    chosen = (windows == windows.amax(2, keepdim=True)).to(x.dtype)
    mask = chosen.reshape(batch, channels * pixels, height, width)
    share = gradient / F.conv2d(mask, torch.ones(channels, pixels, 1, 1, dtype=x.dtype), groups=channels)
    back = (chosen * share[:, :, None]).reshape(batch, channels * pixels, height, width)
    # What the last window leaves over at the far edge comes back as output padding.
    rest = [x.shape[2 + i] - (gradient.shape[2 + i] - 1) * stride[i] - kernel[i] for i in (0, 1)]
    return F.conv_transpose2d(back, one_hot, None, stride, 0, rest, channels)
