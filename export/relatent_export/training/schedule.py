"""Rounds of a run, and how the step size changes: factors, by how far a round is (0 to 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar


class Stretch(Protocol):
    """A part of a run with settings of its own."""

    @property
    def images(self) -> int:
        """Images seen in it."""


_Round = TypeVar("_Round", bound=Stretch)


def locate(rounds: Sequence[_Round], images: int) -> tuple[_Round, float]:
    """The round that a count of images falls into, and how far it is, in [0, 1).

    Raises:
        ValueError: there are no so many images in all rounds.
    """
    before = 0
    for stretch in rounds:
        if images < before + stretch.images:
            return stretch, (images - before) / stretch.images
        before += stretch.images
    raise ValueError(f"images: expected fewer than {before}, got {images}")


def warm_up(progress: float, share: float) -> float:
    """From 0 to 1 in a share of the round: Adam would make the first steps too large."""
    return min(1.0, progress / share)


def cosine(progress: float) -> float:
    """Half a cosine, from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def late_decay(progress: float, start: float, lowest: float) -> float:
    """1 up to a share of the round, then linear to `lowest`."""
    return 1.0 if progress < start else 1.0 - (1.0 - lowest) * (progress - start) / (1.0 - start)
