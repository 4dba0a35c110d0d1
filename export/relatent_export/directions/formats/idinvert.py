"""In-domain inversion's boundaries: a vector for each layer, and the layers to move.

Published with Zhu et al., "In-Domain GAN Inversion for Real Image Editing" (2020), as a `.npy` of one object:
`boundary` [1, L, D], of which each layer's vector is of unit norm, and `meta_data` with `manipulate_layers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.directions.formats.published import (
    EDIT_DIRECTION,
    CodeShape,
    DirectionChoices,
    DirectionFormat,
    name_of,
)
from relatent_export.directions.formats.vectors import (
    INTERFACEGAN_REACH,
    Description,
    Numbers,
    by_layer,
    check_shape,
    direction,
    layers_text,
    norms_of,
    numbers,
    split_layers,
)


@dataclass(frozen=True, eq=False)
class IdinvertBoundary:
    """A parsed boundary.

    Attributes:
        vectors: as the file has them, [L, D], or one.
        moved: the layers to move; empty: all.
    """

    path: Path
    name: str
    vectors: Numbers
    moved: tuple[int, ...]

    @property
    def format(self) -> DirectionFormat:
        """How it is published."""
        return EDIT_DIRECTION

    def describe(self) -> dict[str, str]:
        """What it holds, in lines by their titles."""
        moved = ", ".join(map(str, self.moved)) or "all"
        return {"direction": f"idinvert, moves layers {moved}", "space": f"W+, {layers_text(self.vectors)}"}

    def directions(self, shape: CodeShape, choices: DirectionChoices) -> list[Direction]:
        """The direction, for a generator.

        Raises:
            UnsupportedFile: it is of another generator.
            DamagedFile: it moves nothing.
        """
        what = str(self.path)
        vectors, _ = by_layer(self.vectors, shape.layers, shape.width, what)
        about = Description(self.name, f"idinvert, {self.path.name}", choices.licence, INTERFACEGAN_REACH)
        return [direction(_moving(vectors, self.moved, what), Space.W_PLUS, about, what)]


def parse(data: Any, path: Path) -> IdinvertBoundary | None:
    """Parse such a file; None if it is not one.

    Raises:
        Refused: it holds no direction that any generator could take.
    """
    if not isinstance(data, Mapping) or "boundary" not in data:
        return None
    what = str(path)
    name, vectors = name_of(path), numbers(data["boundary"], f"{what}: boundary")
    check_shape(vectors, what)
    moved = _moved_layers(data.get("meta_data"), what)
    norms_of(_moving(split_layers(vectors), moved, what), what)
    return IdinvertBoundary(path, name, vectors, moved)


def _moved_layers(about: Any, what: str) -> tuple[int, ...]:
    values = about.get("manipulate_layers", []) if isinstance(about, Mapping) else []
    items = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(items, list | tuple) or not all(type(item) is int for item in items):
        raise DamagedFile(f"{what}: manipulate_layers: expected a list of whole numbers, got {values!r:.80}")
    return tuple(items)


def _moving(vectors: Numbers, moved: tuple[int, ...], what: str) -> Numbers:
    """The vectors [L, D] with zeros for those layers that are not to move."""
    wanted = list(moved or range(len(vectors)))
    if not 0 <= min(wanted) <= max(wanted) < len(vectors):
        raise UnsupportedFile(f"{what}: manipulate_layers: expected 0 to {len(vectors) - 1}, got {wanted}")
    kept = np.zeros_like(vectors)
    kept[wanted] = vectors[wanted]
    return kept
