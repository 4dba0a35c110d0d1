"""Giving a pack codes of S, the space of styles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from relatent.core.manifest import MANIFEST, read_manifest
from relatent.core.spaces import Space, code_parts_table
from relatent_export.nets.networks import Networks
from relatent_export.objectives.spaces import SPACES


def with_styles(folder: Path, networks: Networks) -> dict[str, Any]:
    """A pack's manifest's `spaces`, with codes of S, for which the pack needs one more graph.

    Raises:
        PackError: it is no pack that can be read.
    """
    spaces: dict[str, Any] = read_manifest(folder / MANIFEST).get("spaces", {})
    return {**spaces, str(Space.STYLE): code_parts_table(SPACES[Space.STYLE](networks))}
