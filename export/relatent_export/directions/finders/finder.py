"""What a finder of directions is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from relatent.core.attributes import Attribute
from relatent.core.controls import Controls
from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.directions.labels import Labelled
from relatent_export.nets.networks import Networks

Floats = NDArray[np.float32]


class Need(StrEnum):
    """What a finder cannot do without."""

    NOTHING = "nothing"
    IMAGE = "image"
    """A picture, and the pack's encoder."""
    LABELS = "labels"
    """The pack's attribute network, or labels of the user's own."""
    CONTROLS = "controls"
    """The pack's attribute network, and how attributes answer to codes."""


@dataclass(frozen=True)
class FinderInput:
    """What there is to find directions with.

    Attributes:
        networks: the pack's.
        space: to find them in.
        layers: that they are to move, but in Z.
        count: how many, of finders that find as many as they are asked for.
        seed: of samples.
        samples: how many to draw.
        attributes: the pack's, with ranges; none where it has no network that reads them.
        controls: how they answer to codes, where it is known.
        labelled: samples and what they are labelled with, where the finder needs labels.
        code: of the image that directions are to be of, float32 [L, D]; None where there is none.
        work: a folder that keeps what takes long, for a run that goes on where this one stopped.
    """

    networks: Networks
    space: Space
    layers: range
    count: int
    seed: int
    samples: int
    attributes: tuple[Attribute, ...] = ()
    controls: Controls | None = None
    labelled: Labelled | None = None
    code: Floats | None = None
    work: Path | None = None


Find: TypeAlias = Callable[[FinderInput], list[Direction]]
"""Directions, not calibrated; their `attribute` is empty where a finder does not know what they move. One
that tells a range of strengths means something by a unit of them: it is not measured in attributes."""


@dataclass(frozen=True)
class Finder:
    """A way of finding directions.

    Attributes:
        find: what finds them.
        source: the publication.
        need: what it cannot do without.
        spaces: that it finds them in, the default first.
        samples: how many it draws unless told otherwise; 0 for none.
        reach: how far its publication goes along a direction, either way; 0 where it does not say. It is
            what strengths a pack tells where nothing can be measured, and a direction tells none itself.
    """

    find: Find
    source: str
    need: Need = Need.NOTHING
    spaces: tuple[Space, ...] = (Space.W,)
    samples: int = 0
    reach: float = 0.0
