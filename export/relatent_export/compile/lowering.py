"""Rewrites of PyTorch's operators into ones that export well and run fast in a gradient graph.

Each is exact but for rounding. They exist because ONNX Runtime runs plain stride-1 convolutions far
faster than transposed ones, because a frozen network needs no weight gradients, and because
TensorRT refuses some of the originals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch._decomp import core_aten_decompositions, decomposition_table
from torch.fx.experimental.proxy_tensor import make_fx

from relatent_export.compile.pooling import max_pool_backward

aten = torch.ops.aten

_TINY = 1e-20
"""Turns a sign into a clamp: positive numbers lie above it, negative ones below any share of it. A
gradient times it is still a normal number. Of float32: half precision holds nothing so small."""


def decompositions() -> dict[Any, Callable[..., Any]]:
    """The decomposition table for tracing a gradient step."""
    table = dict(core_aten_decompositions())
    # Kept whole: one ONNX node each, where the core table would spell them out.
    for kept in (aten.leaky_relu.default, aten.pixel_shuffle.default, aten._to_copy.default):
        table.pop(kept, None)
    # ONNX has no function for it, and the exporter would trace the whole graph again to be rid of it.
    table[aten.squeeze.dims] = decomposition_table[aten.squeeze.dims]
    table[aten.convolution_backward.default] = _convolution_backward
    table[aten.leaky_relu_backward.default] = _leaky_relu_backward
    table[aten.threshold_backward.default] = _relu_backward
    table[aten.max_pool2d_with_indices_backward.default] = max_pool_backward
    table[aten.sum.dim_IntList] = _sum
    table[aten.mean.dim] = _mean
    table[aten.bmm.default] = _bmm
    return table


def _sum(x: Tensor, dim: list[int] | None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Any:
    """A sum over channels as a product with a row of ones.

    ONNX Runtime sums the channels of one sample in another order than those of several, and a
    refinement would then depend on whether it has company. Its matrix products do not.
    """
    if x.ndim != 4 or dim != [1] or dtype is not None:
        return NotImplemented
    batch, channels, height, width = x.shape
    ones = torch.ones(1, 1, channels, dtype=x.dtype).expand(batch, -1, -1)
    total = torch.bmm(ones, x.reshape(batch, channels, height * width))
    return total.reshape(batch, 1, height, width) if keepdim else total.reshape(batch, height, width)


def _mean(x: Tensor, dim: list[int], keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Any:
    """A sample's mean, where it has no multiple of 16 numbers, as a product.

    ONNX Runtime adds up numbers in an order that depends on where in memory they begin, and samples of
    such a count begin anywhere.
    """
    batch, count = x.shape[0], math.prod(x.shape[1:])
    if [axis % x.ndim for axis in dim] != list(range(1, x.ndim)) or dtype is not None or count % 16 == 0:
        return NotImplemented
    total = x.reshape(batch, count) @ torch.ones(count, 1, dtype=x.dtype)
    return (total / count).reshape(batch, *([1] * (x.ndim - 1) if keepdim else []))


def _bmm(a: Tensor, b: Tensor) -> Any:
    """A product with few rows over a long axis, transposed.

    ONNX Runtime shares the longer side of a product among its threads, into more parts the fewer
    samples there are, and sums a long axis in blocks whose size depends on the columns of a part.
    With the longer side as rows the blocks are always the same, and so is the sum.
    """
    rows, length, columns = a.shape[1], a.shape[2], b.shape[2]
    if rows >= columns or length <= columns:
        return NotImplemented
    return torch.bmm(b.transpose(1, 2), a.transpose(1, 2)).transpose(1, 2)


def _leaky_relu_backward(gradient: Tensor, x: Tensor, slope: float, is_result: bool) -> Tensor:
    """The activation's slope as a clamp: a comparison and a selection cost three times as much.

    Half precision has no room for the clamp's two bounds below every positive number.
    """
    if x.dtype is torch.float16:
        return torch.where(x > 0, gradient, gradient * slope)
    return gradient * x.clamp(slope * _TINY, _TINY) * (1 / _TINY)


def _relu_backward(gradient: Tensor, x: Tensor, threshold: float) -> Tensor:
    """The same for a ReLU, whose slope is 0 or 1."""
    if threshold != 0 or x.dtype is torch.float16:
        return torch.where(x > threshold, gradient, 0.0)
    return gradient * x.clamp(0.0, _TINY) * (1 / _TINY)


def _convolution_backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: list[int] | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    mask: list[bool],
) -> tuple[Tensor | None, None, None]:
    """The input's gradient alone, as plain convolutions: weights are frozen."""
    if not mask[0]:
        return None, None, None
    if transposed:
        return F.conv2d(gradient, weight, None, stride, padding, dilation, groups), None, None
    if all(step == 1 for step in stride):
        reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        margin = [r - p for r, p in zip(reach, padding, strict=True)]
        if min(margin) < 0:
            raise NotImplementedError(
                f"convolution_backward: padding {padding} beyond the kernel's reach {reach}"
            )
        back = F.conv2d(gradient, _turned(weight, groups), None, 1, margin, dilation, groups)
        return back, None, None
    # What stride dropped at the far edge comes back as output padding.
    rest = [
        x.shape[axis + 2]
        - ((gradient.shape[axis + 2] - 1) * stride[axis] - 2 * padding[axis])
        - (dilation[axis] * (weight.shape[axis + 2] - 1) + 1)
        for axis in (0, 1)
    ]
    back = F.conv_transpose2d(gradient, weight, None, stride, padding, rest, groups, dilation)
    return back, None, None


def _turned(weight: Tensor, groups: int) -> Tensor:
    """A convolution's weight [O, I / groups, H, W] as its gradient's: flipped, outputs for inputs."""
    outputs, inputs, height, width = weight.shape
    by_group = weight.flip(2, 3).reshape(groups, outputs // groups, inputs, height, width)
    return by_group.transpose(1, 2).reshape(groups * inputs, outputs // groups, height, width)


def absorb_factors(traced: fx.GraphModule) -> None:
    """Take constant factors past what is linear in them: into weights, and behind sums.

    A factor on a feature map is a pass over it; on a weight it costs nothing.
    """
    for node in list(traced.graph.nodes):
        if node.target is not aten.mul.Tensor or not isinstance(node.args[1], int | float):
            continue
        x, factor = node.args
        if not all(_is_linear(user, node) for user in node.users):
            continue
        for user in list(node.users):
            user.replace_input_with(node, x)
            scaled = user.args[1] if user.target is aten.convolution.default else user
            with traced.graph.inserting_before(user if scaled is not user else user.next):
                product = traced.graph.call_function(aten.mul.Tensor, (scaled, factor))
            if scaled is user:
                user.replace_all_uses_with(product, delete_user_cb=lambda n, p=product: n is not p)
            else:
                user.args = (user.args[0], product, *user.args[2:])
        traced.graph.erase_node(node)
    traced.recompile()


def _is_linear(user: fx.Node, x: fx.Node) -> bool:
    """Whether a node's result is proportional to x: a sum, or a convolution without a bias."""
    if user.target is aten.convolution.default:
        return user.args[0] is x and user.args[2] is None
    return user.target is aten.sum.dim_IntList


def folded(module: nn.Module, inputs: list[Tensor]) -> fx.GraphModule:
    """A module as a graph that holds what it makes of its weights, and not the weights.

    Args:
        module: what to trace.
        inputs: examples, batch axis first; the batch stays free.
    """
    traced = make_fx(module, tracing_mode="symbolic", _allow_non_fake_inputs=True)(*inputs)
    fold_constants(traced)
    return traced


def fold_constants(traced: fx.GraphModule) -> None:
    """Compute, once, every tensor of a traced graph that depends on no input.

    But for a transposed weight: whoever runs the graph transposes it once as well, and the file would
    hold it twice.
    """
    constants: dict[fx.Node, Tensor] = {}
    for node in list(traced.graph.nodes):
        if node.op == "get_attr":
            constants[node] = getattr(traced, str(node.target))
        elif (
            node.op == "call_function"
            and not (node.target is aten.permute.default and node.args[0].op == "get_attr")
            and node.all_input_nodes
            and all(n in constants for n in node.all_input_nodes)
        ):
            args = fx.node.map_arg(node.args, constants.__getitem__)
            kwargs = fx.node.map_arg(node.kwargs, constants.__getitem__)
            value = node.target(*args, **kwargs)
            if isinstance(value, Tensor):
                constants[node] = value.detach()
    for index, (node, value) in enumerate(constants.items()):
        if node.op == "call_function" and any(user not in constants for user in node.users):
            name = f"folded_{index}"
            traced.register_buffer(name, value)
            with traced.graph.inserting_before(node):
                node.replace_all_uses_with(traced.graph.get_attr(name))
    traced.graph.eliminate_dead_code()
    traced.recompile()
