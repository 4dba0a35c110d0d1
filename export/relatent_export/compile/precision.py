"""In which precision a graph computes, and what half precision means here.

In half are feature maps, convolutions and the weights they use. In float32 stay losses, sums that
normalise, styles and demodulation, colours, the gradient's last step and the optimiser: what half
precision would round away or could not hold. A graph's inputs and outputs are the same either way.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from relatent_export.nets.ir_se import Norm
from relatent_export.nets.layers import EqualizedLinear

_Network = TypeVar("_Network", bound=nn.Module)

_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.PReLU, EqualizedLinear, Norm)
"""Computed in half precision, with their weights."""


class Precision(StrEnum):
    """What feature maps and convolutions are computed in."""

    FLOAT32 = "float32"
    FLOAT16 = "fp16"

    @property
    def dtype(self) -> torch.dtype:
        """Of the feature maps."""
        return torch.float16 if self is Precision.FLOAT16 else torch.float32

    @property
    def loss_scale(self) -> float:
        """The size that gradients are brought to while they are taken, times their own; 1 in float32.

        Half precision holds 6e-8 to 65504. Of the gradient of a loss's root, what reaches a pixel shrinks
        with the image's area: half of it was below 2e-6 in a network of 64 pixels, which is 8e-9 at 1024.
        What a style gathers from all pixels does not shrink: it was 0.5 at most, and 1.4 in a network of
        random weights. Times this both are far from the ends: at 1024 pixels a gradient is as exact with
        four times as much; with 64 times as much it overflows, and with a 4096th it is 40 times less exact.
        """
        return 4096.0 if self is Precision.FLOAT16 else 1.0


def in_precision(network: _Network, precision: Precision) -> _Network:
    """A network that computes in a precision; itself where that is float32.

    In half precision its convolutions, linear layers, PReLUs and normalisations are rounded, and take
    their input rounded, whatever it was; what it returns when called is float32. Its own arithmetic must
    bring constants to the type of the maps that it multiplies by matrices.

    Args:
        network: what to copy; it is left alone, and shares what is not rounded with the copy.
        precision: of the copy.
    """
    if precision is Precision.FLOAT32:
        return network
    tensors = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    for module in network.modules():
        if isinstance(module, _LAYERS):
            tensors |= _rounded(module)
    copied = copy.deepcopy(network, tensors)
    for module in copied.modules():
        if isinstance(module, _LAYERS):
            module.register_forward_pre_hook(_round_input)
    copied.register_forward_hook(_widen_output)
    return copied


def _rounded(layer: nn.Module) -> dict[int, Tensor]:
    """A layer's tensors in half precision, by the identity of those they replace."""
    parameters, buffers = (
        dict(layer.named_parameters(recurse=False)),
        dict(layer.named_buffers(recurse=False)),
    )
    values: dict[str, Tensor] = {name: tensor.detach() for name, tensor in (parameters | buffers).items()}
    if isinstance(layer, Norm):
        # A factor and a summand alone: half precision may not hold a variance.
        with torch.no_grad():
            nothing = layer(torch.zeros(1, len(layer.weight)))[0]
            factor = layer(torch.ones(1, len(layer.weight)))[0] - nothing
        values = {
            "weight": factor,
            "bias": nothing,
            "mean": torch.zeros_like(factor),
            "variance": torch.ones_like(factor),
        }
    rounded: dict[int, Tensor] = {id(buffer): values[name].half() for name, buffer in buffers.items()}
    for name, parameter in parameters.items():
        rounded[id(parameter)] = nn.Parameter(values[name].half(), requires_grad=False)
    return rounded


def _round_input(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(tensor.half() for tensor in inputs)


def _widen_output(network: nn.Module, inputs: Any, output: Any) -> Any:
    return output.float() if isinstance(output, Tensor) else [part.float() for part in output]


def synthesis_in(synthesis: Callable[..., Tensor], precision: Precision) -> Callable[[Tensor], Tensor]:
    """A synthesis network, computed in a precision: w [B, L, D] to images [B, 3, R, R] in [-1, 1]."""
    return synthesis if precision is Precision.FLOAT32 else partial(synthesis, dtype=precision.dtype)
