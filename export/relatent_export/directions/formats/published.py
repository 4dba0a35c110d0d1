"""What a published file of directions was parsed into, whatever its format.

A file is parsed once, where it is recognised. What comes out knows its numbers, can be described without a
generator, and makes directions for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import Refused

SLIDER = 10.0
"""How far GANSpace's own sliders go, in standard deviations."""


class SpaceUntold(Refused):
    """A single vector that may be of W or of Z, in a file whose name does not tell which."""


@dataclass(frozen=True, eq=False)
class DirectionFormat:
    """A way in which directions are published.

    Attributes:
        label: what `inspect` prints as the family.
        licence: a note on the licence of what is published so.
        like_codes: whether a latent code could be taken for such a file, so that a doubt is worth telling.
    """

    label: str
    licence: str
    like_codes: bool = False


EDIT_DIRECTION = DirectionFormat(
    "edit direction",
    "that of its publisher; InterFaceGAN's, idinvert's and e4e's are MIT",
    like_codes=True,
)
"""A vector, or one a layer: InterFaceGAN's, idinvert's, StyleFeatureEditor's, the e4e family's."""


@dataclass(frozen=True)
class CodeShape:
    """The codes of the generator that directions are for.

    Attributes:
        layers: L of W+.
        width: D, of w.
        z_width: width of the mapping network's input.
    """

    layers: int
    width: int
    z_width: int


@dataclass(frozen=True)
class GanspaceEdit:
    """A published edit along one of GANSpace's components.

    Attributes:
        component: its number, from 0.
        first_layer, last_layer: layers to move, both included. Lists of the e4e family leave the last one
            out: their (58, 7, 9, 7) is component 58, layers 7 to 8, strength 7.
        strength: as published; what the direction's range reaches to, either way.
    """

    component: int
    first_layer: int
    last_layer: int
    strength: float = SLIDER


@dataclass(frozen=True)
class DirectionChoices:
    """What whoever imports directions says of them, since their files do not.

    Attributes:
        space: Z or W, of single vectors whose file's name does not tell it.
        licence: of the directions.
        edits: of GANSpace's components, those to take, by the name that each gets; each component on all
            layers if empty.
    """

    space: Space | None = None
    licence: str = ""
    edits: Mapping[str, GanspaceEdit] = field(default_factory=dict)


class DirectionFile(Protocol):
    """A file of directions, parsed."""

    @property
    def format(self) -> DirectionFormat:
        """How it is published."""

    def describe(self) -> dict[str, str]:
        """What it holds, in lines by their titles.

        Whether its layers and their width fit is judged with a generator only.
        """

    def directions(self, shape: CodeShape, choices: DirectionChoices) -> list[Direction]:
        """Make directions for a generator: one, or several of GANSpace's components.

        Raises:
            SpaceUntold: a single vector, of which neither the file nor `choices` tells the space.
            Refused: they are of another generator.
            ValueError: a name in `choices` is not one that a direction can have.
        """


def slug(text: str) -> str:
    """A text in lower-case letters, digits and underscores; empty where nothing of it is left."""
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


def name_of(path: Path) -> str:
    """What a direction is called after its file.

    Raises:
        Refused: nothing of the file's name is left.
    """
    name = slug(path.stem)
    if not name:
        raise Refused(f"{path}: expected a file name with letters a to z or digits, to call the direction by")
    return name
