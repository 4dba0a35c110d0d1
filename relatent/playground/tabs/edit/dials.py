"""What can be turned: a pack's attributes, in their units, or where it reads none, its directions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from relatent.client.catalog import PackInfo
from relatent.client.goals import Goal, Reach
from relatent.client.requests import Move, Operation
from relatent.client.results import EditedImage
from relatent.core.spaces import Space

MOST = 24
"""Sliders that one screen can hold."""
_STRENGTH = 3.0
"""How far a direction goes either way whose range nobody measured."""
_PARTS = 100


@dataclass(frozen=True)
class Dial:
    """Something that a slider turns.

    Attributes:
        name: of the attribute or the direction.
        label: what people call it, with its unit.
        low, high: the slider's ends.
        step: between two of its places.
        exact: whether it is an attribute's value, rather than a direction's strength.
    """

    name: str
    label: str
    low: float
    high: float
    step: float
    exact: bool

    def fit(self, number: float) -> float:
        """The place of the slider that is nearest to a number."""
        inside = min(max(number, self.low), self.high)
        return round(round((inside - self.low) / self.step) * self.step + self.low, 4)

    def moved(self, one: float, other: float) -> bool:
        """Whether two numbers are two places of the slider."""
        return self.fit(one) != self.fit(other)


def dials(pack: PackInfo) -> tuple[Dial, ...]:
    """A pack's dials: attributes where edits can aim at them, else directions that move codes."""
    if pack.exact_edits:
        measured = [(name, info) for name, info in pack.described.items() if info.low < info.high]
        made = [
            _dial(name, _named(info.label, info.unit), info.low, info.high, True) for name, info in measured
        ]
        return tuple(made[:MOST])
    moving = [each for each in pack.directions if each.space is not Space.Z]
    ends = [(each.min_strength, each.max_strength) for each in moving]
    known = [pair if pair[0] < pair[1] else (-_STRENGTH, _STRENGTH) for pair in ends]
    made = [_dial(each.name, each.name, *pair, False) for each, pair in zip(moving, known, strict=True)]
    return tuple(made[:MOST])


def operations(
    turned: Sequence[Dial], asked: Mapping[str, float], locked: Collection[str]
) -> tuple[Operation, ...]:
    """The edit that dials ask for, always from the picture's own code.

    Args:
        turned: the pack's dials.
        asked: where those stand that were moved, by name.
        locked: names of what stays as it is.
    """
    if not asked:
        return ()
    held = [dial.name for dial in turned if dial.name in locked and dial.name not in asked]
    if turned[0].exact:
        goals = [Goal(dial.name, to=asked[dial.name]) for dial in turned if dial.name in asked]
        return (Reach(goals, hold=held),)
    return tuple(
        Move(dial.name, asked[dial.name], keep=held) for dial in turned if asked.get(dial.name, 0.0) != 0.0
    )


def values(
    turned: Sequence[Dial], before: Mapping[str, float], asked: Mapping[str, float], edited: EditedImage
) -> dict[str, float]:
    """Where all dials stand after an edit: at what its picture reads, or at the strength that was asked for.

    Args:
        turned: the pack's dials.
        before: where they stood without any edit.
        asked: where those stand that were moved.
        edited: the answer.
    """
    if turned[0].exact and edited.targets:
        outcomes = edited.targets[-1].attributes
        return {dial.name: outcomes[dial.name].reached for dial in turned}
    return {dial.name: asked.get(dial.name, before[dial.name]) for dial in turned}


def _dial(name: str, label: str, low: float, high: float, exact: bool) -> Dial:
    wide = high - low
    step = (
        1.0 if wide >= _PARTS / 2 else 0.5 if wide >= _PARTS / 4 else round(wide / _PARTS, 3) or wide / _PARTS
    )
    return Dial(name, label, low, high, step, exact)


def _named(label: str, unit: str) -> str:
    return f"{label} ({'degrees' if unit == 'deg' else unit})" if unit else label
