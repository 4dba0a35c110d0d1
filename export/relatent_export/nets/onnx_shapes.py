"""ONNX's arithmetic of shapes, on arrays: it is done while a network is run or traced, and leaves no trace.

Sizes may be a tracer's symbols, so that arrays of them hold objects.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

Attributes = Mapping[str, Any]
"""Of a node, by name: numbers, bytes, lists of these, arrays."""

Host = NDArray[Any]
"""What is known without an image, or of its shape alone."""


def numbers(array: Host) -> list[Any]:
    """An array's numbers, symbols as they are."""
    return [item.item() if isinstance(item, np.generic) else item for item in array.reshape(-1)]


def is_known(array: Host) -> bool:
    """Whether none of its numbers is a symbol."""
    return all(isinstance(number, int | float | bool) for number in numbers(array))


def axes_of(attributes: Attributes, given: Host | None) -> list[int] | None:
    """Axes by a node's second input, as later opsets have them, or its attribute; None: it has neither."""
    if given is not None:
        return numbers(given)
    axes = attributes.get("axes")
    return None if axes is None else list(axes)


def tidy(array: Any) -> Host:
    """Plain numbers where there are no symbols."""
    found = np.asarray(array)
    if found.dtype == object and is_known(found):
        found = np.array(numbers(found)).reshape(found.shape)
    return found


def _arithmetic(function: Callable[[Any, Any], Any]) -> Callable[..., Host]:
    return lambda attributes, a, b: function(a, b)


def _divide(attributes: Attributes, a: Host, b: Host) -> Host:
    """As whole numbers are divided, where both are; sizes are not negative."""
    whole = all(array.dtype == object or array.dtype.kind in "iu" for array in (a, b))
    return a // b if whole else a / b


def _gather(attributes: Attributes, data: Host, indices: Host) -> Host:
    return np.take(data, indices.astype(np.int64), attributes.get("axis", 0))


def _concat(attributes: Attributes, *parts: Host) -> Host:
    return np.concatenate(parts, attributes["axis"])


def slices(rank: int, starts: Host, ends: Host, axes: Host | None, steps: Host | None) -> tuple[slice, ...]:
    """One slice an axis, as ONNX's Slice has them."""
    picked = [slice(None)] * rank
    chosen = range(len(starts)) if axes is None else numbers(axes)
    strides = [1] * len(starts) if steps is None else numbers(steps)
    for axis, start, end, step in zip(chosen, numbers(starts), numbers(ends), strides, strict=True):
        picked[axis] = slice(start, end, step)
    return tuple(picked)


def _slice(
    attributes: Attributes,
    data: Host,
    starts: Host,
    ends: Host,
    axes: Host | None = None,
    steps: Host | None = None,
) -> Host:
    return np.asarray(data[slices(data.ndim, starts, ends, axes, steps)])


def _squeeze(attributes: Attributes, data: Host, axes: Host | None = None) -> Host:
    chosen = axes_of(attributes, axes)
    return np.squeeze(data, None if chosen is None else tuple(chosen))


def _unsqueeze(attributes: Attributes, data: Host, axes: Host | None = None) -> Host:
    return np.expand_dims(data, tuple(axes_of(attributes, axes) or ()))


def _cast(attributes: Attributes, data: Host) -> Host:
    return data if data.dtype == object else data.astype(helper.tensor_dtype_to_np_dtype(attributes["to"]))


def _reshape(attributes: Attributes, data: Host, shape: Host) -> Host:
    return data.reshape(numbers(shape))


def _expand(attributes: Attributes, data: Host, shape: Host) -> Host:
    return np.broadcast_to(data, np.broadcast_shapes(data.shape, tuple(numbers(shape))))


def _range(attributes: Attributes, start: Host, limit: Host, step: Host) -> Host:
    return np.arange(*(numbers(each)[0] for each in (start, limit, step)), dtype=start.dtype)


def _constant_of_shape(attributes: Attributes, shape: Host) -> Host:
    value = attributes.get("value", np.zeros(1, np.float32))
    return np.full(numbers(shape), value[0], value.dtype)


def _product(attributes: Attributes, data: Host, axes: Host | None = None) -> Host:
    return np.asarray(np.prod(data, keepdims=bool(attributes.get("keepdims", 1))))


HOST: Mapping[str, Callable[..., Host]] = {
    "Add": _arithmetic(operator.add),
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _divide,
    "Equal": _arithmetic(operator.eq),
    "Expand": _expand,
    "Gather": _gather,
    "Greater": _arithmetic(operator.gt),
    "Identity": lambda attributes, data: data,
    "Less": _arithmetic(operator.lt),
    "Max": lambda attributes, *parts: np.maximum.reduce(parts),
    "Min": lambda attributes, *parts: np.minimum.reduce(parts),
    "Mod": _arithmetic(operator.mod),
    "Mul": _arithmetic(operator.mul),
    "Neg": lambda attributes, data: -data,
    "Pow": _arithmetic(operator.pow),
    "Range": _range,
    "ReduceProd": _product,
    "Reshape": _reshape,
    "Slice": _slice,
    "Sqrt": lambda attributes, data: np.sqrt(data),
    "Squeeze": _squeeze,
    "Sub": _arithmetic(operator.sub),
    "Unsqueeze": _unsqueeze,
    "Where": lambda attributes, chosen, a, b: np.where(chosen.astype(bool), a, b),
}
"""By operator, of a node's attributes and its inputs: for nodes all whose inputs are known."""

_KNOWN_ALONE = ("ConstantOfShape", "Expand", "Range")
"""Of these, how large the result is must be a number."""


def is_host(operator: str, given: Sequence[Any]) -> bool:
    """Whether a node's inputs are all arrays, of numbers where they must be."""
    arrays = [value for value in given if value is not None]
    if not all(isinstance(value, np.ndarray) for value in arrays):
        return False
    return operator not in _KNOWN_ALONE or all(map(is_known, arrays))
