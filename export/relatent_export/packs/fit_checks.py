"""What is asked of `relatent-export directions fit`, checked against a pack before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from relatent.core.pack import Pack
from relatent.core.spaces import Space
from relatent_export.directions.finders.finder import Finder, Need
from relatent_export.directions.finders.registry import FINDERS
from relatent_export.directions.wanted import Wanted

_ANYWHERE = ", ".join(name for name, each in FINDERS.items() if each.need in (Need.NOTHING, Need.IMAGE))
"""The finders that every pack can use."""


@dataclass(frozen=True)
class FitTask:
    """A finder, and where it is to look.

    Attributes:
        finder: of the registry.
        space: to find directions in.
        layers: that they are to move.
        samples: to draw, or steps to train.
    """

    finder: Finder
    space: Space
    layers: range
    samples: int


def check_asked(folder: Path, wanted: Wanted, pack: Pack) -> FitTask:
    """Check what is asked.

    Raises:
        ValueError: there is no such finder, or it cannot do what is asked of this pack; names the option.
    """
    if wanted.method not in FINDERS:
        raise ValueError(f"--method: expected one of {', '.join(FINDERS)}, got {wanted.method!r}")
    finder = FINDERS[wanted.method]
    space = wanted.space or finder.spaces[0]
    if space not in finder.spaces:
        known = ", ".join(finder.spaces)
        raise ValueError(f"--space: expected one of {known} for {wanted.method}, got {space}")
    layers = _layers(wanted, finder, space, pack)
    _check_numbers(wanted, finder)
    _check_pack(folder, wanted, finder, pack)
    _check_options(wanted, finder)
    return FitTask(finder, space, layers, finder.samples if wanted.samples is None else wanted.samples)


def _layers(wanted: Wanted, finder: Finder, space: Space, pack: Pack) -> range:
    if wanted.layers is None:
        return range(pack.layers)
    if space in (Space.Z, Space.STYLE) or finder.need in (Need.CONTROLS, Need.TEXT):
        raise ValueError(f"--layers: expected none for {wanted.method} in {space}")
    first, last = wanted.layers
    if not 0 <= first <= last < pack.layers:
        raise ValueError(f"--layers: expected some of 0-{pack.layers - 1}, got {first}-{last}")
    return range(first, last + 1)


def _check_numbers(wanted: Wanted, finder: Finder) -> None:
    if wanted.count < 1:
        raise ValueError(f"--count: expected 1 or more, got {wanted.count}")
    if not 0 <= wanted.seed < 2**32:
        raise ValueError(f"--seed: expected 0 to {2**32 - 1}, got {wanted.seed}")
    if wanted.beta is not None and not 0 < wanted.beta < 1:
        raise ValueError(f"--beta: expected a relevance above 0 and below 1, got {wanted.beta:g}")
    if wanted.samples is None:
        return
    if not finder.samples or wanted.labels is not None:
        which = wanted.method if wanted.labels is None else "--labels"
        raise ValueError(f"--samples: expected none for {which}, which draws none")
    if wanted.samples < 1:
        raise ValueError(f"--samples: expected 1 or more, got {wanted.samples}")


def _check_pack(folder: Path, wanted: Wanted, finder: Finder, pack: Pack) -> None:
    if finder.need is Need.LABELS and wanted.labels is None and not pack.attributes:
        raise ValueError(
            f"{folder}: expected --labels, or a pack that has an attribute network; "
            f"without either there are {_ANYWHERE}"
        )
    if finder.need in (Need.CONTROLS, Need.GRADIENT) and not pack.attributes:
        raise ValueError(
            f"{folder}: expected a pack that has an attribute network; without one there are {_ANYWHERE}, "
            "and boundary with --labels"
        )
    if finder.need is Need.TEXT and pack.text is None:
        raise ValueError(
            f"{folder}: expected a pack that has an image-text pair (relatent-export text); without one "
            f"there are {_ANYWHERE}"
        )


def _check_options(wanted: Wanted, finder: Finder) -> None:
    if wanted.labels is not None and finder.need is not Need.LABELS:
        raise ValueError(f"--labels: expected none for {wanted.method}, which takes no labels")
    if wanted.image is not None and finder.need is not Need.IMAGE:
        raise ValueError(f"--image: expected none for {wanted.method}, which is of no image")
    if finder.need is Need.TEXT and not wanted.prompt.strip():
        raise ValueError(f"--prompt: expected what {wanted.method}'s are to lead to, got none")
    said = [("prompt", wanted.prompt), ("neutral", wanted.neutral), ("beta", wanted.beta)]
    if finder.need is not Need.TEXT and (given := [name for name, value in said if value]):
        raise ValueError(f"--{given[0]}: expected none for {wanted.method}, which takes no text")
