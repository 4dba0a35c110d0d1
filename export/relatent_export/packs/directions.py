"""Giving a pack other directions, in place of all it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tomli_w
from safetensors.numpy import save

from relatent.core.directions import Direction, direction_entry
from relatent.core.manifest import MANIFEST, read_manifest
from relatent.core.pack import DIRECTIONS, file_digest
from relatent_export.writing import named, whole_folder


def write_directions(folder: Path, directions: Sequence[Direction]) -> None:
    """Write directions into a pack.

    Args:
        folder: the pack's.
        directions: at least one.

    Raises:
        PackError: it is no pack that can be read.
        OSError: it cannot be written; names the file.
    """
    manifest = read_manifest(folder / MANIFEST)
    with whole_folder(folder, f"{manifest['name']}.directions") as partial:
        with named(folder / DIRECTIONS):
            (partial / DIRECTIONS).write_bytes(
                save({each.name: np.ascontiguousarray(each.vector) for each in directions})
            )
        manifest |= {
            "directions": [direction_entry(direction) for direction in directions],
            "files": {**manifest["files"], DIRECTIONS: file_digest(partial / DIRECTIONS)},
        }
        with named(folder / MANIFEST):
            (partial / MANIFEST).write_text(tomli_w.dumps(manifest))
