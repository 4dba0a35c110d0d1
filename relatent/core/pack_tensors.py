"""What a pack's tensor files hold, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from relatent.core.directions import Direction, direction_space, read_direction
from relatent.core.manifest import PackError, reading
from relatent.core.methods import NAME, finite
from relatent.core.spaces import PLAIN, STYLES, CodeParts, Space
from relatent.core.text import DEVIATION, RELEVANCE, TEXT, TOKENIZER, TextModel, read_text_model

Array = NDArray[np.float32]


def read_tensors(path: Path) -> dict[str, Array]:
    """A file's tensors by name.

    Raises:
        PackError: it is missing or unreadable.
    """
    with reading(path):
        return load_file(path)


def check_shape(path: Path, name: str, array: Array, shape: tuple[int, ...]) -> None:
    """Check that a tensor is float32 of a shape, and finite.

    Raises:
        PackError: it is not.
    """
    if array.shape != shape or array.dtype != np.float32:
        got = f"{array.dtype} {list(array.shape)}"
        raise PackError(f"{path}: {name}: expected float32 {list(shape)}, got {got}")
    if not np.isfinite(array).all():
        raise PackError(f"{path}: {name}: expected finite numbers, got others among them")


def vector_shapes(
    shape: tuple[int, int], z_width: int, spaces: Mapping[Space, CodeParts]
) -> dict[Space, tuple[int, ...]]:
    """Of directions' vectors, by the space that they are of.

    Args:
        shape: of a W+ code.
        z_width: of what samples are drawn from.
        spaces: what the pack's codes are made of.
    """
    shapes: dict[Space, tuple[int, ...]] = {Space.Z: (1, z_width), **dict.fromkeys((*PLAIN, Space.P), shape)}
    if Space.STYLE in spaces:
        shapes[Space.STYLE] = (1, *spaces[Space.STYLE].parts[STYLES].shape)
    return shapes


def read_directions(
    path: Path, entries: Sequence[Mapping[str, Any]], shapes: Mapping[Space, tuple[int, ...]]
) -> dict[str, Direction]:
    """Directions by name.

    Args:
        path: of the file with their vectors; it need not be there where there are no directions.
        entries: of the manifest.
        shapes: of vectors, by the space that they are of.

    Raises:
        PackError: the file is missing or unreadable, or a vector is not of its space's shape.
        ValueError, KeyError, TypeError: an entry has a field too few or one that is not what it must be.
    """
    vectors = read_tensors(path) if entries else {}
    directions = {}
    for entry in entries:
        name = entry["name"]
        if (space := direction_space(entry)) not in shapes:
            raise ValueError(f"direction {name!r}: space: the pack has no codes of {space}")
        check_shape(path, name, vectors[name], shapes[space])
        if entry.get("learned") and not re.fullmatch(NAME, name):
            raise ValueError(f"direction {name!r}: name: expected one that a graph may have")
        for key in ("bias", "calibration", "min_strength", "max_strength"):
            finite(f"direction {name!r}: {key}", entry[key])
        directions[name] = read_direction(entry, vectors[name])
    return directions


def read_texts(folder: Path, table: Mapping[str, Any], spaces: Mapping[Space, CodeParts]) -> TextModel:
    """What a pack knows of texts.

    Args:
        folder: the pack's.
        table: of the manifest.
        spaces: what the pack's codes are made of.

    Raises:
        PackError: a file is missing or unreadable, or a tensor is not of the shape that it must be.
        ValueError, KeyError, TypeError: the pack has no codes of S, or a field is missing or wrong.
    """
    if Space.STYLE not in spaces:
        raise ValueError(f"text: expected codes of {Space.STYLE}, which texts move")
    tensors, channels = read_tensors(folder / TEXT), spaces[Space.STYLE].parts[STYLES].shape
    check_shape(folder / TEXT, DEVIATION, tensors[DEVIATION], channels)
    check_shape(folder / TEXT, RELEVANCE, tensors[RELEVANCE], (*channels, int(table["width"])))
    with reading(folder / TOKENIZER):
        tokenizer = (folder / TOKENIZER).read_text("utf-8")
    return read_text_model(table, tokenizer, tensors)
