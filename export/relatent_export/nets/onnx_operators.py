"""ONNX's operators as PyTorch's functions, with gradients: those that networks of images are made of.

As functions of a node's attributes and its inputs. What pools or resizes does so by convolutions and products
with matrices, whose gradients export.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from onnx import helper
from torch import Tensor

from relatent_export.nets.onnx_shapes import Attributes, Host, axes_of, numbers, slices
from relatent_export.nets.onnx_windows import OPERATORS as WINDOWS
from relatent_export.nets.onnx_windows import per_channel

Value = Tensor | Host
"""A tensor; or an array, where it is known without an image or of its shape alone."""


def tensor(value: Value, like: Tensor | None = None) -> Tensor:
    """A value as a tensor, of another's type if one is given."""
    if isinstance(value, Tensor):
        return value
    found = torch.tensor(value.tolist())
    if like is not None:
        return found.to(like.dtype)
    return found.float() if found.is_floating_point() else found


def scalar(value: Value) -> Any:
    """What one operand does to all: a number where it is one that is known."""
    return value.item() if not isinstance(value, Tensor) and value.ndim == 0 else value


def _both(function: Callable[[Any, Any], Any]) -> Callable[..., Tensor]:
    """A function of two that may be numbers, where one is a tensor."""

    def run(attributes: Attributes, a: Value, b: Value) -> Tensor:
        left, right = scalar(a), scalar(b)
        if isinstance(left, Tensor):
            right = right if isinstance(right, int | float) else tensor(right, left)
        else:
            left = left if isinstance(left, int | float) else tensor(left, right)
        result: Tensor = function(left, right)
        return result

    return run


def _each(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda attributes, x: function(tensor(x))


def _power(base: Tensor, exponent: Any) -> Tensor:
    """A product for a square: ONNX Runtime computes powers number by number."""
    return base * base if isinstance(exponent, int | float) and exponent == 2 else torch.pow(base, exponent)


def _clip(attributes: Attributes, x: Tensor, least: Value | None = None, most: Value | None = None) -> Tensor:
    low = attributes.get("min") if least is None else scalar(least)
    high = attributes.get("max") if most is None else scalar(most)
    return x if low is None and high is None else torch.clamp(x, low, high)


def _gelu(attributes: Attributes, x: Tensor) -> Tensor:
    return F.gelu(x, approximate=attributes.get("approximate", b"none").decode())


def _hard_sigmoid(attributes: Attributes, x: Tensor) -> Tensor:
    return torch.clamp(attributes.get("alpha", 0.2) * x + attributes.get("beta", 0.5), 0, 1)


def _softmax(attributes: Attributes, x: Tensor) -> Tensor:
    if attributes["opset"] >= 13:
        return x.softmax(attributes.get("axis", -1))
    # Earlier opsets take all axes from one on for a single row.
    return x.flatten(attributes.get("axis", 1)).softmax(-1).reshape(x.shape)


def _gemm(attributes: Attributes, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.transpose(0, 1) if attributes.get("transA", 0) else a
    b = b if attributes.get("transB", 0) else b.transpose(0, 1)
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if c is not None and c.ndim == 1 and alpha == beta == 1:
        return F.linear(a, b, c)
    product = F.linear(a, b) * alpha
    return product if c is None else torch.add(product, c, alpha=beta)


def _layer_norm(attributes: Attributes, x: Tensor, scale: Tensor, bias: Value | None = None) -> Tensor:
    shape = x.shape[attributes.get("axis", -1) :]
    shift = None if bias is None else tensor(bias, x).expand(shape)
    return F.layer_norm(x, shape, tensor(scale, x).expand(shape), shift, attributes.get("epsilon", 1e-5))


def _batch_norm(
    attributes: Attributes, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    factor = scale / (variance + attributes.get("epsilon", 1e-5)).sqrt()
    return x * per_channel(factor, x) + per_channel(bias - mean * factor, x)


def _instance_norm(attributes: Attributes, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    axes = tuple(range(2, x.ndim))
    apart = x - x.mean(axes, keepdim=True)
    deviation = ((apart * apart).mean(axes, keepdim=True) + attributes.get("epsilon", 1e-5)).sqrt()
    return torch.add(apart / deviation * per_channel(scale, x), per_channel(bias, x))


def _reduce(function: Callable[[Tensor, list[int], bool], Tensor]) -> Callable[..., Tensor]:
    def run(attributes: Attributes, x: Tensor, axes: Host | None = None) -> Tensor:
        chosen = axes_of(attributes, axes)
        if not chosen and attributes.get("noop_with_empty_axes", 0):
            return x
        return function(x, chosen or list(range(x.ndim)), bool(attributes.get("keepdims", 1)))

    return run


def _reshape(attributes: Attributes, x: Tensor, shape: Host) -> Tensor:
    keep = not attributes.get("allowzero", 0)
    sizes = [x.shape[i] if keep and size == 0 else size for i, size in enumerate(numbers(shape))]
    return x.reshape(sizes)


def _flatten(attributes: Attributes, x: Tensor) -> Tensor:
    axis = attributes.get("axis", 1) % (x.ndim + 1)
    return x.flatten(axis) if axis == 1 else x.reshape(x.shape[:axis].numel(), -1)


def _split(attributes: Attributes, x: Tensor, sizes: Host | None = None) -> tuple[Tensor, ...]:
    axis = attributes.get("axis", 0)
    given = attributes.get("split") if sizes is None else numbers(sizes)
    # Parts of equal size, the last one smaller where they cannot be.
    equal = -(-x.shape[axis] // attributes["outputs"])
    return tuple(torch.split(x, list(given) if given is not None else equal, axis))


def _slice(
    attributes: Attributes,
    x: Tensor,
    starts: Host,
    ends: Host,
    axes: Host | None = None,
    steps: Host | None = None,
) -> Tensor:
    return x[slices(x.ndim, starts, ends, axes, steps)]


def _gather(attributes: Attributes, x: Tensor, indices: Value) -> Tensor:
    axis = attributes.get("axis", 0) % x.ndim
    if not isinstance(indices, Tensor) and indices.ndim == 0:
        return x.select(axis, int(indices))
    places = tensor(indices)
    shape = (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
    return x.index_select(axis, places.reshape(-1)).reshape(shape)


def _squeeze(attributes: Attributes, x: Tensor, axes: Host | None = None) -> Tensor:
    chosen = axes_of(attributes, axes)
    return x.squeeze() if chosen is None else x.squeeze(tuple(chosen))


def _unsqueeze(attributes: Attributes, x: Tensor, axes: Host | None = None) -> Tensor:
    chosen = axes_of(attributes, axes) or []
    rank = x.ndim + len(chosen)
    for axis in sorted(axis % rank for axis in chosen):
        x = x.unsqueeze(axis)
    return x


def _expand(attributes: Attributes, x: Tensor, shape: Host) -> Tensor:
    sizes = numbers(shape)
    own = [1] * (len(sizes) - x.ndim) + list(x.shape)
    asked = [1] * (x.ndim - len(sizes)) + sizes
    return x.expand([mine if size == 1 else size for mine, size in zip(own, asked, strict=True)])


def _constant_of_shape(attributes: Attributes, shape: Host) -> Tensor:
    value = attributes["value"][0] if "value" in attributes else 0.0
    return torch.full(numbers(shape), value.item() if hasattr(value, "item") else value)


def _cast(attributes: Attributes, x: Tensor) -> Tensor:
    wanted = torch.from_numpy(helper.tensor_dtype_to_np_dtype(attributes["to"]).type(0).reshape(1)).dtype
    return x.to(wanted)


def _where(attributes: Attributes, chosen: Value, a: Value, b: Value) -> Tensor:
    like = next((each for each in (a, b) if isinstance(each, Tensor)), None)
    return torch.where(tensor(chosen).bool(), tensor(a, like), tensor(b, like))


def _concat(attributes: Attributes, *parts: Value) -> Tensor:
    like = next(part for part in parts if isinstance(part, Tensor))
    return torch.cat([tensor(part, like) for part in parts], attributes["axis"])


def _length(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    return (x * x).sum(list(axes), keepdim=keep).sqrt()


OPERATORS: Mapping[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    **WINDOWS,
    "Abs": _each(torch.abs),
    "Add": _both(operator.add),
    "And": _both(operator.and_),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _both(operator.truediv),
    "Dropout": lambda attributes, x, ratio=None, training=None: x,
    "Einsum": lambda attributes, *parts: torch.einsum(attributes["equation"].decode(), *parts),
    "Equal": _both(operator.eq),
    "Erf": _each(torch.erf),
    "Exp": _each(torch.exp),
    "Expand": lambda attributes, x, shape: _expand(attributes, tensor(x), shape),
    "Flatten": _flatten,
    "Gather": lambda attributes, x, indices: _gather(attributes, tensor(x), indices),
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Greater": _both(operator.gt),
    "HardSigmoid": _hard_sigmoid,
    "Identity": lambda attributes, x: x,
    "InstanceNormalization": _instance_norm,
    "IsNaN": _each(torch.isnan),
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda attributes, x: F.leaky_relu(x, attributes.get("alpha", 0.01)),
    "Less": _both(operator.lt),
    "MatMul": lambda attributes, a, b: torch.matmul(tensor(a), tensor(b)),
    "Mul": _both(operator.mul),
    "Neg": _each(torch.neg),
    "Not": _each(torch.logical_not),
    "Pow": _both(_power),
    "Range": lambda attributes, *numbers: torch.arange(*(scalar(each) for each in numbers)),
    "ReduceL2": _reduce(_length),
    "ReduceMax": _reduce(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "ReduceMean": _reduce(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "ReduceSum": _reduce(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "Relu": _each(F.relu),
    "Reshape": lambda attributes, x, shape: _reshape(attributes, tensor(x), shape),
    "Sigmoid": _each(torch.sigmoid),
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _each(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _both(operator.sub),
    "Tanh": _each(torch.tanh),
    "Transpose": lambda attributes, x: x.permute(*attributes.get("perm", range(x.ndim)[::-1])),
    "Unsqueeze": lambda attributes, x, axes=None: _unsqueeze(attributes, tensor(x), axes),
    "Where": _where,
}
"""By name; `Shape` and `Constant` are whoever's that runs them."""
