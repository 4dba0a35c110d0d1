"""Giving a pack directions, in place of all it has or beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from relatent.core.directions import Direction, direction_entry
from relatent.core.pack import DIRECTIONS, read_pack
from relatent_export.packs.moves import move_file
from relatent_export.packs.sealing import reseal


def write_directions(
    folder: Path,
    directions: Sequence[Direction],
    files: Mapping[str, bytes] | None = None,
    entries: Mapping[str, Any] | None = None,
) -> None:
    """Write directions into a pack, in place of all it has, and of the networks of learned ones.

    Args:
        folder: the pack's.
        directions: at least one.
        files: of learned ones, by name.
        entries: further ones of the manifest that change with them.

    Raises:
        PackError: it is no pack that can be read.
        OSError: it cannot be written; names the file.
    """
    vectors = save({each.name: np.ascontiguousarray(each.vector) for each in directions})
    listed = [direction_entry(direction) for direction in directions]
    entries = {**(entries or {}), "directions": listed}
    gone = _move_files(read_pack(folder).directions.values()) - _move_files(directions)
    reseal(folder, "directions", {DIRECTIONS: vectors, **(files or {})}, entries, gone)


def put_directions(
    folder: Path,
    directions: Sequence[Direction],
    files: Mapping[str, bytes] | None = None,
    entries: Mapping[str, Any] | None = None,
) -> None:
    """Write directions into a pack beside those it has, in place of those of the same names.

    Args:
        folder: the pack's.
        directions: at least one.
        files: of learned ones, by name.
        entries: further ones of the manifest that change with them.

    Raises:
        PackError: it is no pack that can be read.
        OSError: it cannot be written; names the file.
    """
    kept = {direction.name: direction for direction in read_pack(folder).directions.values()}
    write_directions(folder, [*{**kept, **{each.name: each for each in directions}}.values()], files, entries)


def _move_files(directions: Iterable[Direction]) -> set[str]:
    """The files of learned ones' networks."""
    return {move_file(direction.name) for direction in directions if direction.learned}
