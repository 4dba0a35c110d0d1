"""Latent codes and other arrays as they travel: checked on the way in, laid out on the way out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent_service.catalog import shown
from relatent_service.errors import InvalidField, RevisionMismatch
from relatent_service.rpc.spaces import LAYOUTS

Floats = NDArray[Any]


def check_origin(pack: Pack, name: str, revision: str, field: str) -> None:
    """Check that something that belongs to weights belongs to the pack's.

    Raises:
        InvalidField: it is of another pack.
        RevisionMismatch: it is of another revision of the pack.
    """
    if name != pack.name:
        raise InvalidField(
            f"{field}.pack",
            f"expected a code of pack {pack.name!r}, got one of {shown(name)}",
            reason="WRONG_PACK",
        )
    if revision != pack.revision:
        raise RevisionMismatch(
            f"{field}.revision",
            f"expected a code of pack {pack.name!r} at revision {pack.revision}, got {shown(revision)}",
        )


def read_floats(
    values: bytes, shape: Sequence[int], field: str, *, finite: bool = True, dtype: str = "float32"
) -> Floats:
    """Read an array off its bytes.

    Args:
        values: little-endian, row by row.
        shape: what it must have.
        field: where it is in the request.
        finite: whether every value must be.
        dtype: of its values, float32 or float16.

    Raises:
        InvalidField: the length is wrong, or a value is NaN or infinite.
    """
    layout = LAYOUTS[dtype]
    expected = layout.itemsize * math.prod(shape)
    if len(values) != expected:
        raise InvalidField(
            f"{field}.values", f"expected {expected} bytes, {dtype} {list(shape)}, got {len(values)}"
        )
    array = np.frombuffer(values, layout).reshape(shape).astype(dtype)
    bad = ~np.isfinite(array) if finite else np.isnan(array)
    if bad.any():
        first = [int(index) for index in np.argwhere(bad)[0]]
        raise InvalidField(
            f"{field}.values",
            f"expected finite numbers, got {int(bad.sum())} that are not, the first at {first}",
            reason="NOT_FINITE",
        )
    return array


def check_shape(shape: Sequence[int], expected: Sequence[int], field: str) -> None:
    """Check a shape that came with a request.

    Raises:
        InvalidField: it is not the expected one.
    """
    if tuple(shape) != tuple(expected):
        got = list(shape[:8]) if len(shape) <= 8 else f"{len(shape)} sides"
        raise InvalidField(f"{field}.shape", f"expected {list(expected)}, got {got}")
