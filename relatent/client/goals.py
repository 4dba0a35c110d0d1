"""What exact edits are to reach, and messages made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from relatent.client.errors import InputError
from relatent.v1 import editing_pb2


@dataclass(frozen=True)
class Goal:
    """What one attribute shall come to; either `to` or `by` is given.

    Attributes:
        attribute: its name, as the catalog lists it.
        to: the value to arrive at, or several for a strip of images; in the attribute's unit.
        by: the change, or several.
        unit: that the values are meant in, for whoever wants it checked; the attribute's own if empty.
    """

    attribute: str
    to: float | Sequence[float] | None = None
    by: float | Sequence[float] | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if (self.to is None) == (self.by is None):
            got = "neither" if self.to is None else "both"
            raise InputError(f"goal {self.attribute!r}: expected either to or by, got {got}")


@dataclass(frozen=True)
class Reach:
    """Move the code until its image's attributes are what is asked for, as the pack's network reads them.

    Attributes:
        goals: of one attribute each.
        hold: attributes that shall stay; None: all that have no goal.
        tolerance: how far off an attribute may be, as a share of its range; the server's 0.01 if None.
        max_rounds: of making images and reading them; the server's 10 if None.
        time_budget: seconds after which to end with the best so far.
    """

    goals: Sequence[Goal]
    hold: Sequence[str] | None = None
    tolerance: float | None = None
    max_rounds: int | None = None
    time_budget: float | None = None


def target_message(reach: Reach) -> editing_pb2.AttributeTarget:
    """Make a message of what is to be reached."""
    hold = None if reach.hold is None else editing_pb2.AttributeNames(names=reach.hold)
    budget = None if reach.time_budget is None else duration(reach.time_budget)
    return editing_pb2.AttributeTarget(
        goals=[
            editing_pb2.AttributeGoal(
                attribute=goal.attribute,
                to=[] if goal.to is None else several(goal.to),
                by=[] if goal.by is None else several(goal.by),
                unit=goal.unit,
            )
            for goal in reach.goals
        ],
        hold=hold,
        tolerance=reach.tolerance or 0.0,
        max_rounds=reach.max_rounds or 0,
        time_budget=budget,
    )


def duration(seconds: float) -> Duration:
    """Make a message of a time in seconds."""
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def several(value: float | Sequence[float]) -> list[float]:
    """One number or several, as several."""
    return [float(value)] if isinstance(value, int | float) else [float(each) for each in value]
