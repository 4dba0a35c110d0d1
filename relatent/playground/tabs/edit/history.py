"""What was done to a picture, step by step: undone, done again, and gone back to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from relatent.client.images import Picture
from relatent.client.latents import LatentCode

ONE_MOVE_SECONDS = 1.5
"""Changes of one dial that are no further apart are one step: somebody moves a slider."""
MOST_STEPS = 40


@dataclass(frozen=True)
class Step:
    """A picture on the way.

    Attributes:
        label: what made it.
        dial: which dial was turned; empty for the first step.
        asked: where all dials stand that were turned, by name.
        values: where every dial stands, by name.
        latent: its code.
        picture: what it looks like.
        said: what became of what was asked.
        locked: the dials that were held.
        at: when, in seconds on a monotonic clock.
    """

    label: str
    dial: str
    asked: Mapping[str, float]
    values: Mapping[str, float]
    latent: LatentCode = field(repr=False)
    picture: Picture = field(repr=False)
    said: str = ""
    locked: frozenset[str] = frozenset()
    at: float = 0.0


@dataclass(frozen=True)
class History:
    """Steps, and at which of them somebody is.

    Attributes:
        steps: the first is the picture as it was inverted.
        place: of the present one.
    """

    steps: tuple[Step, ...]
    place: int = 0

    @property
    def now(self) -> Step:
        """The present step."""
        return self.steps[self.place]

    @property
    def can_undo(self) -> bool:
        """Whether there is a step before."""
        return self.place > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a step after."""
        return self.place + 1 < len(self.steps)

    @property
    def labels(self) -> tuple[str, ...]:
        """What the steps are called, by their numbers."""
        return tuple(
            f"{number}. {step.label}" if number else step.label for number, step in enumerate(self.steps)
        )

    def undo(self) -> History:
        """One step back, or where it is."""
        return self.go(self.place - 1)

    def redo(self) -> History:
        """One step on, or where it is."""
        return self.go(self.place + 1)

    def go(self, place: int) -> History:
        """At a step; at the first or the last where there is none of that number."""
        return replace(self, place=min(max(place, 0), len(self.steps) - 1))

    def add(self, step: Step) -> History:
        """With a step after the present one; those that were undone are gone.

        It takes the place of the present one where both are one move of the same dial. Of too many steps
        the oldest goes, but never the first.
        """
        kept = self.steps[: self.place + 1]
        if kept[-1].dial == step.dial and step.at - kept[-1].at <= ONE_MOVE_SECONDS:
            kept = kept[:-1]
        if len(kept) >= MOST_STEPS:
            kept = (kept[0], *kept[2:])
        return History((*kept, step), len(kept))
