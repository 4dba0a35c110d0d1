"""Renewing packs of an earlier format: the manifest alone, for all else has stayed as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path

import tomli_w

from relatent.core.manifest import FORMAT, MANIFEST, read_manifest
from relatent.core.pack import read_pack
from relatent_export.writing import named, whole_file


def migrate_pack(folder: Path) -> bool:
    """Write a pack's manifest in today's format.

    Args:
        folder: the pack's.

    Returns:
        Whether it was of an earlier one.

    Raises:
        PackError: it is no pack that can be read.
        OSError: the manifest cannot be written; names the file.
    """
    read_pack(folder)
    path = folder / MANIFEST
    if tomllib.loads(path.read_text())["format"] == FORMAT:
        return False
    with named(path), whole_file(path) as partial:
        partial.write_text(tomli_w.dumps(read_manifest(path)))
    return True
