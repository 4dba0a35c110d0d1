"""Latent codes and the files that hold them.

A file is a `.safetensors` with one float32 tensor, `latent`, and in its metadata `relatent.format`,
`relatent.pack`, `relatent.revision` and `relatent.space`: a code means nothing without the weights
it belongs to. A code of a space with more parts than its vectors has a tensor for each, and format 2.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open

from relatent.client.errors import ContractError, InputError, LatentFileError
from relatent.core import files
from relatent.core.spaces import PLAIN, Space
from relatent.v1 import types_pb2

SUFFIX = ".safetensors"
FORMAT, PARTS_FORMAT = "1", "2"
_TENSOR = "latent"

_SPACES = {
    Space.W: types_pb2.LATENT_SPACE_W,
    Space.W_PLUS: types_pb2.LATENT_SPACE_W_PLUS,
    Space.FEATURE: types_pb2.LATENT_SPACE_FEATURE,
    Space.LAYERED: types_pb2.LATENT_SPACE_LAYERED,
    Space.MULTI: types_pb2.LATENT_SPACE_MULTI,
    Space.STYLE: types_pb2.LATENT_SPACE_S,
}
SPACE_OF_MESSAGE = {message: space for space, message in _SPACES.items()}
"""Spaces of codes by what the contract calls them."""
_AXES = {Space.W: 1, Space.W_PLUS: 2, Space.STYLE: 2, Space.FEATURE: 2, Space.LAYERED: 2, Space.MULTI: 3}
_SHAPES = {1: "[D]", 2: "[L, D]", 3: "[N, L, D]"}
_TYPES = {"float32": types_pb2.ELEMENT_TYPE_FLOAT32, "float16": types_pb2.ELEMENT_TYPE_FLOAT16}
_TYPE_OF_MESSAGE = {message: name for name, message in _TYPES.items()}
_STORED_TYPES = {"float32": "F32", "float16": "F16"}


@dataclass(frozen=True, eq=False)
class LatentCode:
    """A latent code and what it belongs to.

    Attributes:
        values: float32 [D] in W, [N, L, D] in MULTI, else [L, D]: what edits move; finite; read-only.
        pack: name of the pack whose generator it belongs to.
        revision: that pack's revision, SHA-256 in hex over its mapping and synthesis weights.
        space: any but Z and P.
        parts: what the code has besides, as the pack's codes of the space do: float16 or float32, finite,
            read-only; none in W and W+.

    Raises:
        InputError: the values do not fit the space, or are not finite.
    """

    values: NDArray[np.float32]
    pack: str
    revision: str
    space: Space = Space.W_PLUS
    parts: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float32, order="C")
        if self.space not in _AXES:
            raise InputError(f"latent: expected a code of {', '.join(_AXES)}, got one of {self.space.value}")
        if values.ndim != _AXES[self.space] or not values.size:
            raise InputError(
                f"latent: expected float32 {_SHAPES[_AXES[self.space]]} in {self.space.value}, "
                f"got {list(values.shape)}"
            )
        if bool(self.parts) is (self.space in PLAIN):
            raise InputError(
                f"latent: parts: expected {'none' if self.parts else 'some'} in {self.space.value}"
            )
        if not np.isfinite(values).all():
            raise InputError("latent: expected finite values only")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "parts", {name: _part(name, self.parts[name]) for name in self.parts})

    def __reduce__(self) -> tuple[Any, ...]:
        # Made anew, as NumPy's arrays come back from a pickle or a deep copy writeable.
        return LatentCode, (self.values, self.pack, self.revision, self.space, self.parts)

    def __repr__(self) -> str:
        return (
            f"LatentCode({self.space.value} {list(self.values.shape)}, pack={self.pack!r}, "
            f"revision={self.revision[:12]!r})"
        )

    def replace(self, values: ArrayLike) -> LatentCode:
        """The same pack, revision, space and parts with other values."""
        return LatentCode(np.asarray(values, np.float32), self.pack, self.revision, self.space, self.parts)

    def reduced(self) -> LatentCode:
        """The code without its other parts, in W+; one of W stays what it is.

        Raises:
            InputError: it is several codes of W+.
        """
        if self.space is Space.MULTI:
            raise InputError(f"latent: a code of {self.space} is several of {Space.W_PLUS}")
        space = self.space if self.space in PLAIN else Space.W_PLUS
        return LatentCode(self.values, self.pack, self.revision, space)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the code to a `.safetensors` file, whole or not at all. Equal codes make equal files.

        Raises:
            LatentFileError: the name ends otherwise, or the file cannot be written.
        """
        path = Path(path)
        if path.suffix != SUFFIX:
            raise LatentFileError(f"{path}: expected a name ending in {SUFFIX}")
        metadata = {
            "relatent.format": PARTS_FORMAT if self.parts else FORMAT,
            "relatent.pack": self.pack,
            "relatent.revision": self.revision,
            "relatent.space": self.space.value,
        }
        try:
            files.write_file(path, _file_bytes({_TENSOR: self.values, **self.parts}, metadata))
        except OSError as error:
            raise LatentFileError(f"{path}: cannot be written: {error.strerror}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LatentCode:
        """Read a code from a `.safetensors` file.

        Raises:
            LatentFileError: no such file, or it holds something else.
        """
        path = Path(path)
        try:
            files.check_file(path)
            with safe_open(path, framework="np") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        except FileNotFoundError:
            raise LatentFileError(f"{path}: no such file") from None
        except OSError as error:
            raise LatentFileError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (SafetensorError, TypeError) as error:
            raise LatentFileError(f"{path}: not a {SUFFIX} file: {error}") from error
        space = _check_metadata(path, metadata)
        names = list(tensors)
        values = tensors.pop(_TENSOR, None)
        if values is None or (tensors and space in PLAIN):
            raise LatentFileError(f"{path}: expected one tensor called {_TENSOR!r}, got {names}")
        if values.dtype != np.float32:
            raise LatentFileError(f"{path}: {_TENSOR}: expected float32, got {values.dtype}")
        try:
            return cls(values, metadata["relatent.pack"], metadata["relatent.revision"], space, tensors)
        except LatentFileError:
            raise
        except InputError as error:
            raise LatentFileError(f"{path}: {error}") from error


def latent_message(latent: LatentCode) -> types_pb2.Latent:
    """Make a message of a code."""
    return types_pb2.Latent(
        pack=latent.pack,
        revision=latent.revision,
        space=_SPACES[latent.space],
        shape=latent.values.shape,
        values=latent.values.astype("<f4").tobytes(),
        parts=[
            types_pb2.LatentPart(
                name=name,
                type=_TYPES[part.dtype.name],
                shape=part.shape,
                values=part.astype(part.dtype.newbyteorder("<")).tobytes(),
            )
            for name, part in latent.parts.items()
        ],
    )


def latent_code(message: types_pb2.Latent) -> LatentCode:
    """Make a code of an answer's latent.

    Raises:
        ContractError: its values do not fit its shape and space.
    """
    try:
        values = np.frombuffer(message.values, "<f4").reshape(tuple(message.shape))
        parts = {
            part.name: np.frombuffer(
                part.values, np.dtype(_TYPE_OF_MESSAGE[part.type]).newbyteorder("<")
            ).reshape(tuple(part.shape))
            for part in message.parts
        }
        space = SPACE_OF_MESSAGE[message.space]
        return LatentCode(values, message.pack, message.revision, space, parts)
    except (KeyError, ValueError) as error:
        raise ContractError(f"latent: the answer's code cannot be read: {error}") from error


def _part(name: str, value: ArrayLike) -> NDArray[Any]:
    """A part of a code, read-only and in this machine's byte order."""
    part = np.array(value, order="C")
    if part.dtype.name not in _TYPES or not part.size:
        raise InputError(f"latent: {name}: expected float16 or float32, got {part.dtype} {list(part.shape)}")
    part = part.astype(part.dtype.newbyteorder("="))
    if not np.isfinite(part).all():
        raise InputError(f"latent: {name}: expected finite values only")
    part.flags.writeable = False
    return part


def _file_bytes(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file of some tensors, float32 ones first: each must begin at a multiple of its size.

    The library writes metadata in an order that differs from one run to the next; the format leaves it open:
    the header's length in 8 bytes, the header as JSON, spaces up to a multiple of 8, the tensor's bytes.
    """
    document: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    data = b""
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        held = array.astype(array.dtype.newbyteorder("<")).tobytes()
        document[name] = {
            "dtype": _STORED_TYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(held)],
        }
        data += held
    header = json.dumps(document, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data


def _check_metadata(path: Path, metadata: dict[str, str]) -> Space:
    missing = [key for key in ("pack", "revision", "space") if not metadata.get(f"relatent.{key}")]
    if missing:
        raise LatentFileError(
            f"{path}: not a latent code of Relatent: no {', '.join(missing)} in its metadata"
        )
    if (found := metadata.get("relatent.format")) not in (FORMAT, PARTS_FORMAT):
        raise LatentFileError(
            f"{path}: relatent.format: expected {FORMAT!r} or {PARTS_FORMAT!r}, got {found!r}"
        )
    if (space := metadata["relatent.space"]) not in _AXES:
        raise LatentFileError(f"{path}: relatent.space: expected one of {', '.join(_AXES)}, got {space!r}")
    return Space(space)
