"""What a pickle is read into: records of what it asks for, which do nothing.

Some are also what `torch.load` is given for names that it does not know by itself, hence `__setstate__`: it
and our own unpickler both hand a pickle's BUILD operation to it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.checkpoints.wording import one_line

_LARGEST = 1 << 62
"""Bytes. Below it, no product of sizes and strides overflows in PyTorch."""

_MOST_AXES = 32

_NUMBER = r"[biufc][0-9]{1,2}"
_OBJECT = r"O8?"


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """A name of the allowlist, not looked up."""

    name: str


class ObjectAttributes(dict[str, Any]):
    """An object of which only the attributes matter."""


class Storage:
    """The numbers behind tensors.

    Attributes:
        dtype: of each.
        count: how many.
        untyped: whether they are bytes whose type each tensor tells.
    """

    def __init__(self, dtype: torch.dtype, count: int, untyped: bool = False) -> None:
        self.dtype, self.count, self.untyped = dtype, count, untyped

    @property
    def nbytes(self) -> int:
        """Their size."""
        return self.count * self.dtype.itemsize

    def load(self) -> torch.UntypedStorage:
        """The numbers.

        Raises:
            DamagedFile: the record is of a file that PyTorch reads by itself, and holds none.
        """
        raise DamagedFile("a tensor where none can be stored")


@dataclass(frozen=True, slots=True, eq=False)
class Strided:
    """A tensor: which numbers of a storage, in elements of the tensor's type.

    Raises:
        DamagedFile: on making, it does not fit its storage.
    """

    storage: Storage
    dtype: torch.dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.size) != len(self.stride) or len(self.size) > _MOST_AXES:
            raise DamagedFile(f"a tensor of {len(self.size)} axes with {len(self.stride)} strides")
        # At least 1 an axis: PyTorch multiplies the other sizes even where one is 0.
        room = math.prod(max(size, 1) for size in self.size) * self.dtype.itemsize
        if min((self.offset, *self.size, *self.stride)) < 0 or max(room, *self.stride, 0) >= _LARGEST:
            raise DamagedFile("a tensor of impossible sizes")
        last = sum((size - 1) * step for size, step in zip(self.size, self.stride, strict=True))
        reach = self.offset if 0 in self.size else self.offset + last + 1
        if reach * self.dtype.itemsize > self.storage.nbytes:
            raise DamagedFile(
                f"a tensor of shape {list(self.size)} needs {reach * self.dtype.itemsize} bytes "
                f"where {self.storage.nbytes} are stored"
            )

    def tensor(self) -> torch.Tensor:
        """The tensor; it shares its storage's memory."""
        return torch.empty(0, dtype=self.dtype).set_(self.storage.load(), self.offset, self.size, self.stride)


class Dtype:
    """A NumPy data type, as NumPy pickles it: `dtype("f4", False, True)` and a state for the byte order."""

    def __init__(self, code: Any, align: Any = False, copy: Any = True) -> None:
        self._code = code
        self._state: tuple[Any, ...] | None = None

    def __setstate__(self, state: Any) -> None:
        if self._state is not None or type(state) is not tuple or len(state) < 5:
            raise DamagedFile("a NumPy data type with a state that NumPy does not write")
        self._state = state

    @property
    def of_objects(self) -> bool:
        """Whether elements are Python objects and not numbers."""
        return type(self._code) is str and re.fullmatch(_OBJECT, self._code) is not None

    def numpy(self) -> np.dtype[Any]:
        """The type of numbers.

        Raises:
            UnsupportedFile: it is of something else.
        """
        _, order, *structure = self._state or (3, "=", None, None, None)
        if type(self._code) is not str or not re.fullmatch(_NUMBER, self._code) or any(structure[:3]):
            raise UnsupportedFile(f"a NumPy array of {one_line(repr(self._code))}, expected one of numbers")
        if order not in ("<", ">", "|", "="):
            raise DamagedFile("a NumPy data type of unknown byte order")
        return np.dtype(order + self._code)


class Array:
    """A NumPy array, as NumPy pickles it: one that is empty and a state.

    The state is (version, shape, `Dtype`, whether the first axis is the fastest, bytes or a list of objects).
    """

    def __init__(self, kind: Any = None, shape: Any = (), code: Any = b"") -> None:
        self._state: tuple[Any, ...] | None = None

    def __setstate__(self, state: Any) -> None:
        if self._state is not None or type(state) is not tuple or len(state) != 5:
            raise DamagedFile("a NumPy array with a state that NumPy does not write")
        self._state = state

    @property
    def nbytes(self) -> int:
        """Size of the data that `content` copies; 0 of objects."""
        data = self._state[4] if self._state is not None else b""
        return len(data) if isinstance(data, str | bytes | bytearray) else 0

    def content(self) -> NDArray[Any] | tuple[tuple[int, ...], list[Any]]:
        """The array in this machine's byte order; of one of objects, its shape and the objects.

        Raises:
            DamagedFile: its size is not that of its data, which is compared before any memory is taken.
        """
        if self._state is None:
            raise DamagedFile("a NumPy array without content")
        _, shape, dtype, by_column, data = self._state
        if type(shape) is not tuple or any(type(size) is not int or size < 0 for size in shape):
            raise DamagedFile("a NumPy array without a shape")
        if type(dtype) is not Dtype:
            raise DamagedFile("a NumPy array without a data type")
        if dtype.of_objects:
            if type(data) is not list or len(data) != math.prod(shape):
                raise DamagedFile(f"a NumPy array of shape {list(shape)} with another number of objects")
            return shape, data
        # A pickle of Python 2 holds bytes as text.
        stored = data.encode("latin-1") if type(data) is str else data
        kind = dtype.numpy()
        if not isinstance(stored, bytes | bytearray) or len(stored) != math.prod(shape) * kind.itemsize:
            raise DamagedFile(f"a NumPy array of shape {list(shape)} with data of another size")
        numbers = np.frombuffer(stored, kind).reshape(shape, order="F" if by_column else "C")
        return numbers.astype(kind.newbyteorder("="))


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A NumPy scalar, as NumPy pickles it."""

    dtype: Any
    data: Any

    def number(self) -> bool | int | float:
        """Its value.

        Raises:
            DamagedFile: it has none.
        """
        array = Array()
        array.__setstate__((1, (), self.dtype, False, self.data))
        content = array.content()
        if isinstance(content, tuple) or content.dtype.kind not in "biuf":
            raise DamagedFile("a NumPy scalar that is not a number")
        number: bool | int | float = content.item()
        return number


@dataclass(frozen=True, slots=True, eq=False)
class Persistent:
    """An object of NVIDIA's `torch_utils.persistence`: what would make one, and the source of its class."""

    meta: Any
