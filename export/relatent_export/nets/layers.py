"""The building blocks of the StyleGAN2 family: equalised weights, FIR resampling, activations.

Published in Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.2
"""Negative slope of every leaky ReLU of the family."""

GAIN = math.sqrt(2)
"""Gain that keeps a leaky ReLU's output at unit variance."""


def fir_kernel(channels: int, gain: float) -> Tensor:
    """The separable low-pass filter [1, 3, 3, 1] as a depthwise kernel.

    Returns:
        float32 [channels, 1, 4, 4], summing to `gain` over the last two axes.
    """
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = taps[:, None] * taps[None, :]
    return (kernel * (gain / kernel.sum())).expand(channels, 1, 4, 4).contiguous()


class EqualizedLinear(nn.Module):
    """A linear layer whose weights have unit variance and are scaled when used.

    Args:
        inputs, outputs: numbers of each sample.
        bias: initial value of every bias.
        learning_rate: multiplier on the effective learning rate, as the mapping network uses it.
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, learning_rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / learning_rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / learning_rate))
        self.weight_gain = learning_rate / math.sqrt(inputs)
        self.bias_gain = learning_rate

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs] to [B, outputs]."""
        return F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)


class EqualizedConv(nn.Module):
    """A convolution with equalised weights, an optional downsampling by two and activation.

    Downsampling low-passes with `fir_kernel` first. The activation's gain is folded into weight
    and bias: a leaky ReLU is positively homogeneous, so the result is the same and one pass over
    the activations is saved.
    """

    fir: Tensor

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, down: bool = False, activate: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if activate else None
        self.gain = (GAIN if activate else 1.0) / math.sqrt(inputs * kernel * kernel)
        self.kernel, self.down, self.activate = kernel, down, activate
        self.register_buffer("fir", fir_kernel(inputs, 1.0) if down else torch.empty(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H, W], or half the size."""
        weight = (self.weight * self.gain).to(x.dtype)
        bias = None if self.bias is None else (self.bias * GAIN).to(x.dtype)
        if not self.down:
            x = F.conv2d(x, weight, bias, padding=self.kernel // 2)
        elif self.kernel == 1:
            # Filter at full rate, then drop: a strided depthwise convolution is slow backwards.
            x = F.conv2d(x, self.fir.to(x.dtype), padding=1, groups=x.shape[1])
            x = F.conv2d(_half(x), weight, bias)
        else:
            x = F.conv2d(x, self.fir.to(x.dtype), padding=2, groups=x.shape[1])
            x = F.conv2d(x, weight, bias, stride=2)
        return F.leaky_relu(x, LEAK) if self.activate else x


def _half(x: Tensor) -> Tensor:
    """Every second row and column of a filtered map of odd size."""
    return x[:, :, ::2, ::2]
