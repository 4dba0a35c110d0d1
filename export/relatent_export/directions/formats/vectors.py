"""Numbers from a file as a direction's vectors: one a layer, of unit norm, each with its length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile

Numbers = NDArray[np.float64]

MOST_LAYERS = 18
"""Of codes of a published generator: of 1024 pixels."""

USUAL_WIDTH = 512
"""Of w in every generator that directions are published for; only descriptions take it for granted."""

INTERFACEGAN_REACH = 3.0
"""How far InterFaceGAN's and idinvert's scripts go unless told otherwise."""

_UNIT = 1e-6
"""A length this near to 1 is 1: published unit vectors are so up to the rounding of their format."""


@dataclass(frozen=True)
class Description:
    """What a direction says of itself beside its vectors.

    Attributes:
        name: lower-case letters, digits and underscores.
        source: where it comes from.
        licence: its own; empty where not known.
        reach: the range published with it goes from `-reach` to `reach`.

    Raises:
        ValueError: the name holds other characters.
    """

    name: str
    source: str
    licence: str
    reach: float

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z0-9_]+", self.name):
            raise ValueError(f"name: expected lower-case letters, digits and underscores, got {self.name!r}")


def numbers(data: Any, what: str) -> Numbers:
    """An array or a tensor as float64, without leading axes of length 1.

    Raises:
        DamagedFile: it holds something else than finite floating-point numbers.
    """
    if isinstance(data, torch.Tensor) and data.is_floating_point():
        data = data.detach().to("cpu", torch.float64).numpy()
    if not isinstance(data, np.ndarray) or not np.issubdtype(data.dtype, np.floating):
        got = getattr(data, "dtype", type(data).__name__)
        raise DamagedFile(f"{what}: expected floating-point numbers, got {got}")
    array = np.asarray(data, np.float64)
    if not array.size or not np.isfinite(array).all():
        raise DamagedFile(f"{what}: expected finite numbers, got {list(array.shape)} with others or none")
    while array.ndim > 1 and len(array) == 1:
        array = array[0]
    return array


def check_shape(array: Numbers, what: str) -> None:
    """Check that an array is one vector, or several, whatever the generator.

    Raises:
        UnsupportedFile: it is of another number of axes, as several codes are.
    """
    if array.ndim == 3:
        count, layers, width = array.shape
        raise UnsupportedFile(
            f"{what}: shape {[count, layers, width]}: {count} codes of {layers} layers and not a direction, "
            "which has one vector, or one a layer"
        )
    if array.ndim not in (1, 2):
        raise UnsupportedFile(f"{what}: shape {list(array.shape)}: expected one vector, or one a layer")


def split_layers(array: Numbers) -> Numbers:
    """An array as vectors [L, D], or one, taking the usual width for granted where it does not tell."""
    if array.ndim == 1 and array.size % USUAL_WIDTH == 0:
        return array.reshape(-1, USUAL_WIDTH)
    return np.atleast_2d(array)


def layers_text(array: Numbers) -> str:
    """The layers of an array and their width, in words."""
    layers, width = split_layers(array).shape
    return f"{layers} layers of {width} numbers"


def norms_of(vectors: Numbers, what: str) -> Numbers:
    """The lengths of vectors.

    Raises:
        DamagedFile: every one is zero, or one is longer than a float32 can tell.
    """
    with np.errstate(over="ignore"):
        norms: Numbers = np.linalg.norm(vectors, axis=-1)
    if not norms.any():
        raise DamagedFile(f"{what}: expected a direction, got zeros alone")
    if norms.max() > np.finfo(np.float32).max:
        raise DamagedFile(f"{what}: expected lengths that a float32 can hold, got {norms.max():g}")
    return norms


def by_layer(array: Numbers, layers: int, width: int, what: str) -> tuple[Numbers, Space]:
    """The vectors [L, D] of a direction of W or W+, given as [D], [L, D] or [L * D], and its space.

    Raises:
        UnsupportedFile: it belongs to codes of another shape.
    """
    check_shape(array, what)
    count = array.shape[-1]
    if array.ndim == 1 and count == width:
        return np.tile(array, (layers, 1)), Space.W
    if array.ndim == 1 and count % width == 0:
        array = array.reshape(-1, width)
    if array.ndim != 2 or array.shape[1] != width:
        raise UnsupportedFile(
            f"{what}: expected layers of {width} numbers, as this generator's codes have, got shape "
            f"{list(array.shape)}"
        )
    if len(array) != layers:
        raise UnsupportedFile(
            f"{what}: expected {_generator(layers)}, got {_generator(len(array))}: it belongs to another "
            "generator"
        )
    return array, Space.W_PLUS


def direction(
    vectors: Numbers,
    space: Space,
    description: Description,
    what: str,
    *,
    lengths: Sequence[float] | None = None,
    bias: float = 0.0,
    layers: tuple[int, int] | None = None,
) -> Direction:
    """Make a direction of vectors [L, D], or [1, Z] in Z.

    Args:
        vectors: one unit of strength moves each layer by these, unless there are lengths: then by so much
            along them.
        space: where it lives.
        description: what else it says of itself.
        what: what it is, for errors; begins with the file.
        lengths: how far one unit of strength moves each layer; the vectors' own norms if None.
        bias: of its boundary; published files hold none but GANSpace's.
        layers: first and last layer it moves; those that are not zero if None.

    Raises:
        DamagedFile: every vector is zero, or one is too long.
    """
    norms = norms_of(vectors, what)
    moved = np.flatnonzero(norms)
    units = vectors / np.where(norms > 0, norms, 1)[:, None]
    norms[np.abs(norms - 1) < _UNIT] = 1
    first, last = layers or (int(moved[0]), int(moved[-1]))
    return Direction(
        name=description.name,
        vector=units.astype(np.float32),
        bias=bias,
        attribute="",
        first_layer=first,
        last_layer=last,
        calibration=0.0,
        min_strength=-description.reach,
        max_strength=description.reach,
        lengths=tuple(float(length) for length in (norms if lengths is None else lengths)),
        space=space,
        licence=description.licence,
        source=description.source,
    )


def _generator(layers: int) -> str:
    """So many layers, and the resolution of the StyleGAN that has them: two for each, from 4 pixels."""
    if layers % 2 == 0 and 4 <= layers <= MOST_LAYERS:
        return f"{layers} layers (a generator of {2 << (layers // 2)} pixels)"
    return f"{layers} layers (perhaps as many codes in one file)" if layers > 1 else "1 layer"
