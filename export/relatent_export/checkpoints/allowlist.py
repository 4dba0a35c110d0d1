"""The names that a file may ask for, and what stands for them. There are no others.

They are as files have them, but that Python 2's are brought to Python 3's by `python3_name`. What is built
does nothing, whatever the file passes to it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import torch

from relatent_export.checkpoints.errors import DamagedFile, UnsafeFile, UnsupportedFile
from relatent_export.checkpoints.records import (
    Array,
    Dtype,
    Global,
    ObjectAttributes,
    Persistent,
    Scalar,
    Storage,
    Strided,
)
from relatent_export.checkpoints.wording import one_line

Builder = Callable[..., Any]

_LEGACY_TENSORFLOW = ("dnnlib.tflib.", "tensorflow.")

_SCALARS = (str, bytes, bool, int, float, type(None))


def _integers(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or any(type(value) is not int for value in values):
        raise DamagedFile("a tensor whose shape is not a list of whole numbers")
    return tuple(values)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, dtype: torch.dtype | None = None) -> Strided:
    if not isinstance(storage, Storage) or type(offset) is not int:
        raise DamagedFile("a tensor without a storage")
    return Strided(storage, dtype or storage.dtype, offset, _integers(size), _integers(stride))


def _tensor_v2(
    storage: Any, offset: Any, size: Any, stride: Any, grad: Any = False, hooks: Any = None, bits: Any = None
) -> Strided:
    if bits:
        raise UnsupportedFile("a tensor that stands for its conjugate or its negative")
    return _tensor(storage, offset, size, stride)


def _tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, dtype: Any, bits: Any = None
) -> Strided:
    if bits or not isinstance(dtype, Global) or dtype.name not in DTYPES:
        raise UnsupportedFile("a tensor of a type that is not supported")
    return _tensor(storage, offset, size, stride, DTYPES[dtype.name])


def _parameter(data: Any, grad: Any = False, hooks: Any = None) -> Strided:
    if not isinstance(data, Strided):
        raise DamagedFile("a parameter that is not a tensor")
    return data


def _mapping(pairs: Any = ()) -> dict[Any, Any]:
    if not isinstance(pairs, tuple | list):
        raise DamagedFile("a dictionary made of something else than pairs")
    made: dict[Any, Any] = {}
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise DamagedFile("a dictionary made of something else than pairs")
        made[key(pair[0])] = pair[1]
    return made


def _set(items: Any = ()) -> set[Any]:
    if not isinstance(items, tuple | list):
        raise DamagedFile("a set made of something else than a list")
    return {element(item) for item in items}


def _encoded(text: Any, encoding: Any) -> bytes:
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise DamagedFile("bytes that are not written as latin1")
    return text.encode("latin-1")


def _device(kind: Any, index: Any = None) -> str:
    if type(kind) is not str or type(index) not in (int, type(None)):
        raise DamagedFile("a device whose name is not text")
    return kind if index is None else f"{kind}:{index}"


def _path(*parts: Any) -> str:
    return "/".join(str(part) for part in parts if type(part) is str).replace("//", "/")


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
    array = Array()
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


STORAGES: Mapping[str, torch.dtype] = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
    "torch.storage.UntypedStorage": torch.uint8,
}
"""What a file calls the numbers of each type; the last is of bytes, for types that came later."""

DTYPES: Mapping[str, torch.dtype] = {
    str(dtype): dtype for dtype in (*STORAGES.values(), torch.uint16, torch.uint32, torch.uint64)
}

_NUMPY: dict[str, Builder] = {
    "numpy.dtype": Dtype,
    "numpy.core.multiarray._reconstruct": Array,
    "numpy.core.multiarray.scalar": Scalar,
    "numpy.core.numeric._frombuffer": _frombuffer,
}

_OWN: dict[str, Builder] = {
    **_NUMPY,
    **{name.replace("numpy.core", "numpy._core"): builder for name, builder in _NUMPY.items()},
    "dnnlib.util.EasyDict": dict,
    "torch_utils.persistence._reconstruct_persistent_obj": Persistent,
    "builtins.bytes": bytes,
    **{f"pathlib.{kind}": _path for kind in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")},
}

BUILDERS: Mapping[str, Builder] = {
    **_OWN,
    "argparse.Namespace": ObjectAttributes,
    "builtins.bytes": lambda: b"",
    "builtins.set": _set,
    "collections.OrderedDict": _mapping,
    "dnnlib.util.EasyDict": _mapping,
    "_codecs.encode": _encoded,
    "torch.Size": _integers,
    "torch.device": _device,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
}
"""By name, what stands for it in the unpickler."""

FOR_TORCH: list[Any] = [
    argparse.Namespace,
    *((builder, name) for name, builder in _OWN.items()),
    (Array, "numpy.ndarray"),
]
"""What `torch.load` is told beyond what it knows by itself, once our own unpickler has passed a file."""

NAMES = BUILDERS.keys() | STORAGES.keys() | DTYPES.keys() | {"numpy.ndarray"}


def python3_name(module: str, name: str) -> str:
    """The full name, with Python 2's module for Python 3's."""
    return f"{'builtins' if module == '__builtin__' else module}.{name}"


def refusal(name: str) -> UnsafeFile | UnsupportedFile:
    """Why a name cannot be had."""
    if name.startswith(_LEGACY_TENSORFLOW):
        return UnsupportedFile(
            f"a TensorFlow network ({one_line(name)}), which only TensorFlow can read; convert it first with "
            "legacy.py of NVIDIA's stylegan2-ada-pytorch or convert_weight.py of rosinality's "
            "stylegan2-pytorch, and import what that writes"
        )
    return UnsafeFile(
        f"asks for {one_line(name)} to be run, and only tensors and plain values are read; nothing was run"
    )


def key(value: Any) -> str | int:
    """A dictionary's key, checked before it is hashed: hashing a tuple of tuples may take for ever.

    Raises:
        UnsupportedFile: it is neither text nor a whole number.
    """
    if isinstance(value, str | int):
        return value
    raise UnsupportedFile(
        f"a dictionary with a key of type {type(value).__name__}, expected text or a number"
    )


def element(value: Any) -> Any:
    """A set's element, checked likewise.

    Raises:
        UnsupportedFile: it is not a simple value.
    """
    if type(value) in _SCALARS:
        return value
    raise UnsupportedFile(f"a set with an element of type {type(value).__name__}, expected a simple value")
