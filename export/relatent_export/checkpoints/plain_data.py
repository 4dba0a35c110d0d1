"""From what was read to plain data.

dict (keys str or int), list, tuple, frozenset, str, bytes, int, float, bool, None, PyTorch's tensors on the
CPU without gradients, NumPy's arrays of numbers, `PersistentObject`. Shared parts stay shared, so that their
number does not grow; how much they would unfold to is counted, since whoever goes through them meets them
again.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relatent_export.checkpoints.allowlist import key
from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.checkpoints.nvidia import PersistentObject
from relatent_export.checkpoints.records import Array, Global, Persistent, Scalar, Strided

MOST_VALUES = 1_000_000
"""As many as a pickle has operations."""

_DEEPEST = 100
"""NVIDIA's networks are three deep for each of their levels."""

_OVERLAP, _LITTLE = 4, 1 << 20
"""Tensors may overlap, as an expanded one does, and arrays be made of the same bytes: up to so many times the
file's size, or so many bytes."""

_SIMPLE = (type(None), bool, int, float, str, bytes)


def to_plain_data(value: Any, file_bytes: int) -> Any:
    """Plain data of what our own unpickler or `torch.load` read.

    Args:
        value: what was read.
        file_bytes: size of the file, which limits that of its tensors.

    Raises:
        DamagedFile: it is nested too deep, holds itself, or unfolds to more than a file of this size should.
        UnsupportedFile: it holds what is not plain.
    """
    return _Unfolding(max(_OVERLAP * file_bytes, _LITTLE)).made(value, 0).data


@dataclass(frozen=True, slots=True)
class _Made:
    """Plain data, with how many values it unfolds to and how deep."""

    source: Any
    """What it was made from; kept, since it is told by its address."""
    data: Any
    values: int
    depth: int


class _Unfolding:
    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._made: dict[int, _Made] = {}
        self._open: set[int] = set()

    def made(self, value: Any, depth: int) -> _Made:
        if type(value) in _SIMPLE:
            return _Made(value, value, 1, 0)
        address = id(value)
        if address in self._open:
            raise DamagedFile("data that holds itself")
        if depth > _DEEPEST:
            raise DamagedFile(f"data nested more than {_DEEPEST} deep")
        if address not in self._made:
            self._open.add(address)
            self._made[address] = self._make(value, depth)
            self._open.remove(address)
        return self._made[address]

    def _make(self, value: Any, depth: int) -> _Made:
        parts: list[_Made] = []

        def part(inner: Any) -> Any:
            parts.append(self.made(inner, depth + 1))
            return parts[-1].data

        converted = self._converted(value, part)
        values = 1 + sum(made.values for made in parts)
        deep = 1 + max((made.depth for made in parts), default=0)
        if values > MOST_VALUES or deep > _DEEPEST:
            raise DamagedFile(f"data that unfolds to more than {MOST_VALUES} values or {_DEEPEST} levels")
        return _Made(value, converted, values, deep)

    def _converted(self, value: Any, part: Any) -> Any:
        match value:
            case Tensor():
                return self._tensor(value)
            case Strided():
                return self._tensor(value.tensor())
            case argparse.Namespace():
                return part(vars(value))
            case dict():
                return {key(name): part(inner) for name, inner in value.items()}
            case list():
                return [part(inner) for inner in value]
            case tuple():
                return tuple([part(inner) for inner in value])
            case set() | frozenset():
                return frozenset(part(inner) for inner in value)
            case Array():
                self._count(value.nbytes)
                return _array(value, part)
            case np.ndarray():
                self._count(value.nbytes)
                return value
            case Scalar():
                return value.number()
            case Persistent():
                return _persistent(part(value.meta))
            case Global():
                return value.name
            case torch.dtype() | torch.device():
                return str(value)
        raise UnsupportedFile(f"holds a {type(value).__name__} by itself, which is not plain data")

    def _tensor(self, tensor: Tensor) -> Tensor:
        if tensor.device.type != "cpu" or tensor.layout is not torch.strided:
            raise UnsupportedFile(
                f"a tensor of layout {tensor.layout} on {tensor.device}, expected a dense one"
            )
        self._count(tensor.numel() * tensor.element_size())
        detached = tensor.detach()
        # A file that another program packed again may have its numbers anywhere.
        return detached.clone() if detached.data_ptr() % detached.element_size() else detached

    def _count(self, numbers: int) -> None:
        """Count bytes of numbers, before they are copied."""
        self._bytes += numbers
        if self._bytes > self._most_bytes:
            raise DamagedFile(
                f"tensors and arrays that unfold to {self._bytes} bytes, and a file of its size should hold "
                f"{self._most_bytes} at most"
            )


def _array(array: Array, part: Any) -> Any:
    content = array.content()
    if not isinstance(content, tuple):
        return content
    shape, objects = content
    if len(shape) > 1:
        raise UnsupportedFile(f"a NumPy array of objects of shape {list(shape)}, expected one or a list")
    return part(objects) if shape else part(objects[0])


def _persistent(meta: Any) -> PersistentObject:
    match meta:
        case {"type": "class", "class_name": str(name), "module_src": str(source), "state": dict(state)}:
            digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        case _:
            raise DamagedFile("an object of torch_utils.persistence without class, source or state")
    for table, kind in (("_parameters", Tensor), ("_buffers", Tensor), ("_modules", PersistentObject)):
        content = state.get(table, {})
        if not isinstance(content, dict) or not all(
            isinstance(inner, str) and isinstance(value, kind | None) for inner, value in content.items()
        ):
            raise DamagedFile(f"an object of torch_utils.persistence whose {table} are not {kind.__name__}s")
    arguments, named = state.get("_init_args", ()), state.get("_init_kwargs", {})
    if not isinstance(arguments, tuple | list) or not isinstance(named, dict):
        raise DamagedFile("an object of torch_utils.persistence whose arguments are not a list and a dict")
    return PersistentObject(name, digest, state)
