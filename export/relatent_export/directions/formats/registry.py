"""The formats in which directions are published: one line each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from relatent_export.directions.formats import bare_vectors, ganspace, ganspace_edits, idinvert
from relatent_export.directions.formats.published import DirectionFile

FORMATS: tuple[Callable[[Any, Path], DirectionFile | None], ...] = (
    bare_vectors.parse,
    idinvert.parse,
    ganspace.parse,
    ganspace_edits.parse,
)
"""Each takes what `read_checkpoint` read, and the file; None: it is not of this format."""


def parse_directions(data: Any, path: Path) -> DirectionFile | None:
    """Parse a file of directions.

    Args:
        data: what `read_checkpoint` read.
        path: the file.

    Returns:
        What it holds; None if it is not a file of directions.

    Raises:
        Refused: it is one, and holds no direction that any generator could take.
    """
    for parse in FORMATS:
        parsed = parse(data, path)
        if parsed is not None:
            return parsed
    return None
