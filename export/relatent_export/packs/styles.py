"""Giving a pack codes of S, the space of styles."""

from __future__ import annotations

from pathlib import Path

from relatent.core.manifest import MANIFEST, read_manifest
from relatent.core.pack import read_pack
from relatent.core.spaces import Space, code_parts_table
from relatent_export.nets.networks import Networks
from relatent_export.objectives.spaces import SPACES
from relatent_export.packs.sealing import reseal


def add_styles(folder: Path, networks: Networks) -> bool:
    """Let a pack have codes of S, for which it needs one more graph.

    Returns:
        Whether it had none before; its graphs are to be exported anew then.

    Raises:
        PackError: it is no pack that can be read.
        OSError: it cannot be written; names the file.
    """
    if Space.STYLE in read_pack(folder).spaces:
        return False
    spaces = read_manifest(folder / MANIFEST).get("spaces", {})
    table = code_parts_table(SPACES[Space.STYLE](networks))
    reseal(folder, "styles", {}, {"spaces": {**spaces, str(Space.STYLE): table}})
    return True
