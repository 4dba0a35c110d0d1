"""What is asked of `relatent-export directions fit`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from relatent.core.spaces import Space

COUNT, SEED = 10, 0
"""Directions of finders that find as many as they are asked for, and the seed of samples, unless told."""


@dataclass(frozen=True)
class Wanted:
    """What a command asks for; None where it does not say.

    Attributes:
        method: the finder's name.
        space: to find directions in.
        layers: that they are to move, both included.
        count: how many, of finders that find as many as they are asked for.
        samples: how many to draw.
        seed: of the samples.
        labels: a CSV of labels.
        truncation: of the samples that the CSV labels.
        image: that directions are to be of, for finders of local ones.
        work: a folder that keeps what was read off samples, and runs of what is trained.
        previews: a folder for pictures of what each does.
        prompt: what directions are to lead to, for finders that take a text.
        neutral: what they start from; the pack's if empty.
        beta: least relevance of a style channel that counts.
    """

    method: str
    space: Space | None = None
    layers: tuple[int, int] | None = None
    count: int = COUNT
    samples: int | None = None
    seed: int = SEED
    labels: Path | None = None
    truncation: float = 0.7
    image: Path | None = None
    work: Path | None = None
    previews: Path | None = None
    prompt: str = ""
    neutral: str = ""
    beta: float | None = None
