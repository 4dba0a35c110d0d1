"""Directions that are published as an array and nothing else.

    who                   file                              a unit of strength is
    InterFaceGAN          `.npy` [1, D], unit norm          1
    StyleFeatureEditor    `.npy` [1, L * D], unit norm      each layer's part of 1
    e4e family            `.pt` [1, D] or [1, L, D]         the vectors' own norms

Only InterFaceGAN's are of W or of Z, which their names tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import UnsupportedFile
from relatent_export.directions.formats.doubts import doubt_of
from relatent_export.directions.formats.published import (
    EDIT_DIRECTION,
    CodeShape,
    DirectionChoices,
    DirectionFormat,
    SpaceUntold,
    name_of,
)
from relatent_export.directions.formats.vectors import (
    INTERFACEGAN_REACH,
    USUAL_WIDTH,
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

_E4E_REACH = 5.0
"""What the e4e family shows its directions with."""
_STYLE_FEATURES_REACH = 10.0
"""What StyleFeatureEditor's list says works for all of its directions."""

_STYLE_CHANNELS, _CLIP_WIDTH = 1000, 512
"""StyleCLIP's `fs3.npy` has a row for each style channel (6048 at 1024 px), as wide as CLIP's embeddings."""


@dataclass(frozen=True, eq=False)
class BareVectors:
    """A parsed array.

    Attributes:
        array: [D], [L, D] or [L * D].
        from_torch: whether it came as a tensor, as the e4e family's do.
    """

    path: Path
    name: str
    array: Numbers
    from_torch: bool

    @property
    def format(self) -> DirectionFormat:
        """How it is published."""
        return EDIT_DIRECTION

    def describe(self) -> dict[str, str]:
        """What it holds, in lines by their titles, taking the usual width of w for granted."""
        size = self.array.size
        single = self.array.ndim == 1 and not (size > USUAL_WIDTH and size % USUAL_WIDTH == 0)
        publisher, _ = self._published(single=single)
        doubt = doubt_of(self.path, split_layers(self.array))
        doubts = {"doubt": doubt} if doubt else {}
        if not single:
            return {"direction": publisher, "space": f"W+, {layers_text(self.array)}", **doubts}
        space = self._space()
        told = space.upper() if space is not None else "W or Z, which its name does not tell"
        return {"direction": publisher, "space": f"{told}, {size} numbers", **doubts}

    def directions(self, shape: CodeShape, choices: DirectionChoices) -> list[Direction]:
        """The direction, for a generator.

        Raises:
            SpaceUntold: it is a single vector, and neither its file's name nor `choices` tells the space.
            UnsupportedFile: it is of another generator.
        """
        what = str(self.path)
        single = self.array.ndim == 1 and len(self.array) in (shape.width, shape.z_width)
        publisher, reach = self._published(single=single)
        about = Description(self.name, f"{publisher}, {self.path.name}", choices.licence, reach)
        if single and self._space_among(choices) is Space.Z:
            return [_of_z(self.array, shape.z_width, about, what)]
        vectors, space = by_layer(self.array, shape.layers, shape.width, what)
        return [direction(vectors, space, about, what)]

    def _published(self, *, single: bool) -> tuple[str, float]:
        """Who publishes such files, and how far their strengths go."""
        if self.from_torch:
            return "e4e family", _E4E_REACH
        if single:
            return "InterFaceGAN", INTERFACEGAN_REACH
        if self.array.ndim == 1:
            return "StyleFeatureEditor", _STYLE_FEATURES_REACH
        return "a vector a layer", INTERFACEGAN_REACH

    def _space(self) -> Space | None:
        """The space of a single vector, as its container or its file's and folder's names tell it."""
        if self.from_torch:
            return Space.W
        stem, folder = self.path.stem.lower(), self.path.parent.name.lower()
        if stem.endswith("_boundary"):
            return Space.W if stem.endswith("_w_boundary") else Space.Z
        if stem.startswith("boundary_") and folder.endswith(("_w", "_z")):
            return Space(folder[-1])
        return None

    def _space_among(self, choices: DirectionChoices) -> Space:
        space = self._space() or choices.space
        if space is None:
            raise SpaceUntold(
                f"{self.path}: a single vector does not tell its space: say whether it is of W or Z, or call "
                "it as InterFaceGAN does, NAME_w_boundary.npy for W and NAME_boundary.npy for Z"
            )
        return space


def parse(data: Any, path: Path) -> BareVectors | None:
    """Parse such a file; None if it is not one.

    Raises:
        Refused: it holds no direction that any generator could take.
    """
    if not isinstance(data, np.ndarray | torch.Tensor):
        return None
    what = str(path)
    name, array = name_of(path), numbers(data, what)
    _refuse_style_relevance(array, what)
    check_shape(array, what)
    norms_of(array, what)
    return BareVectors(path, name, array, isinstance(data, torch.Tensor))


def _of_z(array: Numbers, z_width: int, about: Description, what: str) -> Direction:
    if len(array) != z_width:
        raise UnsupportedFile(
            f"{what}: expected {z_width} numbers, as this generator's mapping network takes, got {len(array)}"
        )
    return direction(array[None], Space.Z, about, what)


def _refuse_style_relevance(array: Numbers, what: str) -> None:
    if array.ndim == 2 and len(array) >= _STYLE_CHANNELS and array.shape[1] == _CLIP_WIDTH:
        raise UnsupportedFile(
            f"{what}: StyleCLIP's relevance of {len(array)} style channels (fs3.npy). It becomes a direction "
            "of style space by way of CLIP's text encoder, and neither is supported; directions of Z, W and "
            "W+ are"
        )
