"""Giving a pack directions, in place of all it has or beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from relatent.core.directions import Direction, direction_entry
from relatent.core.pack import DIRECTIONS, read_pack
from relatent_export.packs.moves import move_file
from relatent_export.packs.sealing import reseal


def write_directions(
    folder: Path, directions: Sequence[Direction], files: Mapping[str, bytes] | None = None
) -> None:
    """Write directions into a pack, in place of all it has, and of the networks of learned ones.

    Args:
        folder: the pack's.
        directions: at least one.
        files: of learned ones, by name.

    Raises:
        PackError: it is no pack that can be read.
        OSError: it cannot be written; names the file.
    """
    vectors = save({each.name: np.ascontiguousarray(each.vector) for each in directions})
    entries = {"directions": [direction_entry(direction) for direction in directions]}
    gone = _move_files(read_pack(folder).directions.values()) - _move_files(directions)
    reseal(folder, "directions", {DIRECTIONS: vectors, **(files or {})}, entries, gone)


def put_directions(
    folder: Path, directions: Sequence[Direction], files: Mapping[str, bytes] | None = None
) -> None:
    """Write directions into a pack beside those it has, in place of those of the same names.

    Args:
        folder: the pack's.
        directions: at least one.
        files: of learned ones, by name.

    Raises:
        PackError: it is no pack that can be read.
        OSError: it cannot be written; names the file.
    """
    kept = {direction.name: direction for direction in read_pack(folder).directions.values()}
    write_directions(folder, [*{**kept, **{each.name: each for each in directions}}.values()], files)


def _move_files(directions: Iterable[Direction]) -> set[str]:
    """The files of learned ones' networks."""
    return {move_file(direction.name) for direction in directions if direction.learned}
