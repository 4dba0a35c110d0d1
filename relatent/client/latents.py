"""Latent codes and the files that hold them.

A file is a `.safetensors` with one float32 tensor, `latent`, and in its metadata `relatent.format`,
`relatent.pack`, `relatent.revision` and `relatent.space`: a code means nothing without the weights
it belongs to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open

from relatent.client.errors import ContractError, InputError, LatentFileError
from relatent.core import files
from relatent.core.spaces import Space
from relatent.v1 import types_pb2

SUFFIX = ".safetensors"
FORMAT = "1"
_TENSOR = "latent"


_SPACES = {Space.W: types_pb2.LATENT_SPACE_W, Space.W_PLUS: types_pb2.LATENT_SPACE_W_PLUS}
_SPACE_OF_MESSAGE = {message: space for space, message in _SPACES.items()}
_AXES = {Space.W: 1, Space.W_PLUS: 2}
_SHAPES = {Space.W: "[D]", Space.W_PLUS: "[L, D]"}


@dataclass(frozen=True, eq=False)
class LatentCode:
    """A latent code and what it belongs to.

    Attributes:
        values: float32 [L, D] in W+, [D] in W; finite; read-only.
        pack: name of the pack whose generator it belongs to.
        revision: that pack's revision, SHA-256 in hex over its mapping and synthesis weights.
        space: W or W+.

    Raises:
        InputError: the values do not fit the space, or are not finite.
    """

    values: NDArray[np.float32]
    pack: str
    revision: str
    space: Space = Space.W_PLUS

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float32, order="C")
        if self.space not in _AXES:
            raise InputError(f"latent: expected a code of w or w+, got one of {self.space.value}")
        if values.ndim != _AXES[self.space] or not values.size:
            raise InputError(
                f"latent: expected float32 {_SHAPES[self.space]} in {self.space.value}, "
                f"got {list(values.shape)}"
            )
        if not np.isfinite(values).all():
            raise InputError("latent: expected finite values only")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    def __reduce__(self) -> tuple[Any, ...]:
        # Made anew, as NumPy's arrays come back from a pickle or a deep copy writeable.
        return LatentCode, (self.values, self.pack, self.revision, self.space)

    def __repr__(self) -> str:
        return (
            f"LatentCode({self.space.value} {list(self.values.shape)}, pack={self.pack!r}, "
            f"revision={self.revision[:12]!r})"
        )

    def replace(self, values: ArrayLike) -> LatentCode:
        """The same pack, revision and space with other values."""
        return LatentCode(np.asarray(values, np.float32), self.pack, self.revision, self.space)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the code to a `.safetensors` file, whole or not at all. Equal codes make equal files.

        Raises:
            LatentFileError: the name ends otherwise, or the file cannot be written.
        """
        path = Path(path)
        if path.suffix != SUFFIX:
            raise LatentFileError(f"{path}: expected a name ending in {SUFFIX}")
        metadata = {
            "relatent.format": FORMAT,
            "relatent.pack": self.pack,
            "relatent.revision": self.revision,
            "relatent.space": self.space.value,
        }
        try:
            files.write_file(path, _file_bytes(self.values, metadata))
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
                names = sorted(file.keys())
                values = file.get_tensor(_TENSOR) if names == [_TENSOR] else None
        except FileNotFoundError:
            raise LatentFileError(f"{path}: no such file") from None
        except OSError as error:
            raise LatentFileError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (SafetensorError, TypeError) as error:
            raise LatentFileError(f"{path}: not a {SUFFIX} file: {error}") from error
        space = _check_metadata(path, metadata)
        if values is None:
            raise LatentFileError(f"{path}: expected one tensor called {_TENSOR!r}, got {names}")
        if values.dtype != np.float32:
            raise LatentFileError(f"{path}: {_TENSOR}: expected float32, got {values.dtype}")
        try:
            return cls(values, metadata["relatent.pack"], metadata["relatent.revision"], space)
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
    )


def latent_code(message: types_pb2.Latent) -> LatentCode:
    """Make a code of an answer's latent.

    Raises:
        ContractError: its values do not fit its shape and space.
    """
    try:
        values = np.frombuffer(message.values, "<f4").reshape(tuple(message.shape))
        return LatentCode(values, message.pack, message.revision, _SPACE_OF_MESSAGE[message.space])
    except (KeyError, ValueError) as error:
        raise ContractError(f"latent: the answer's code cannot be read: {error}") from error


def _file_bytes(values: NDArray[np.float32], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file of one tensor.

    The library writes metadata in an order that differs from one run to the next; the format leaves it open:
    the header's length in 8 bytes, the header as JSON, spaces up to a multiple of 8, the tensor's bytes.
    """
    data = values.astype("<f4").tobytes()
    tensor = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [0, len(data)]}
    document = {"__metadata__": dict(sorted(metadata.items())), _TENSOR: tensor}
    header = json.dumps(document, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data


def _check_metadata(path: Path, metadata: dict[str, str]) -> Space:
    missing = [key for key in ("pack", "revision", "space") if not metadata.get(f"relatent.{key}")]
    if missing:
        raise LatentFileError(
            f"{path}: not a latent code of Relatent: no {', '.join(missing)} in its metadata"
        )
    if metadata.get("relatent.format") != FORMAT:
        raise LatentFileError(
            f"{path}: relatent.format: expected {FORMAT!r}, got {metadata.get('relatent.format')!r}"
        )
    if (space := metadata["relatent.space"]) not in _AXES:
        raise LatentFileError(f"{path}: relatent.space: expected one of {', '.join(_AXES)}, got {space!r}")
    return Space(space)
