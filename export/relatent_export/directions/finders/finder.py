"""What a finder of directions is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import nn

from relatent.core.attributes import Attribute
from relatent.core.controls import Controls
from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent.core.text import TextModel
from relatent_export.directions.labels import Labelled
from relatent_export.directions.moving import Mover, along, by_network
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
    GRADIENT = "gradient"
    """The pack's attribute network, one that gradients go through."""
    TEXT = "text"
    """The pack's image-text pair, and a prompt."""


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
        text: what the pack knows of texts; None where it has no image-text pair.
        prompt: what directions are to lead to; empty where there is none.
        neutral: what they start from.
        beta: least relevance of a channel that counts; None for the pack's.
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
    text: TextModel | None = None
    prompt: str = ""
    neutral: str = ""
    beta: float | None = None
    work: Path | None = None


@dataclass(frozen=True, eq=False)
class FoundDirection:
    """A direction that was found.

    Attributes:
        direction: its vector is zero where a network moves codes along it.
        network: that does, codes float32 [B, L, D] and strengths [B, 1] to codes; None where the vector does.
    """

    direction: Direction
    network: nn.Module | None = None

    @property
    def tells_range(self) -> bool:
        """Whether its finder says how far strengths go, and so which way."""
        return self.direction.min_strength < self.direction.max_strength

    @property
    def move(self) -> Mover:
        """What moves points along it."""
        return along if self.network is None else by_network(self.network)

    @classmethod
    def learned(cls, given: FinderInput, name: str, network: nn.Module, reach: float) -> FoundDirection:
        """A direction of a network that makes sense for strengths up to `reach` either way."""
        config = given.networks.generator.config
        direction = Direction(
            name=name,
            vector=np.zeros((config.layers, config.latent_width), np.float32),
            bias=0.0,
            attribute="",
            first_layer=given.layers.start,
            last_layer=given.layers.stop - 1,
            calibration=0.0,
            min_strength=-reach,
            max_strength=reach,
            space=given.space,
            learned=True,
        )
        return cls(direction, network)


Find: TypeAlias = Callable[[FinderInput], Sequence[Direction | FoundDirection]]
"""Directions, not calibrated; their `attribute` is empty where a finder does not know what they move. One
that tells a range of strengths means something by a unit of them, and keeps its range and its side."""


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
