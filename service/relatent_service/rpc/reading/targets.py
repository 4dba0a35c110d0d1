"""Targets of exact edits, checked: values in people's units become readings."""

from __future__ import annotations

import math

import numpy as np

from relatent.core.attributes import Attribute
from relatent.core.pack import Pack
from relatent.core.targets import MAX_ROUNDS, MOST_ROUNDS, TOLERANCE, AttributeTarget, ReadingGoal
from relatent.v1 import editing_pb2
from relatent_service.catalog import shown
from relatent_service.errors import InvalidField, UnknownName
from relatent_service.rpc.reading.moves import read_numbers

_MOST = float(np.finfo(np.float32).max) / 1e6
"""Of a reading that is asked for: differences and squares of such stay within float32."""


def read_target(
    pack: Pack, target: editing_pb2.AttributeTarget, max_images: int, field: str
) -> AttributeTarget:
    """A target that a pack's codes may be moved to.

    Raises:
        InvalidField: a field is not what it must be, or the pack has nothing to read attributes with.
        UnknownName: an attribute is not there.
    """
    if pack.controls is None:
        raise InvalidField(
            field,
            f"pack {pack.name!r} cannot aim at attributes: it has no attribute network, or was not measured "
            "for it (relatent-export controls)",
            reason="NO_EXACT_EDITS",
        )
    if not target.goals:
        raise InvalidField(f"{field}.goals", "expected at least one, got none")
    goals: list[ReadingGoal] = []
    for index, goal in enumerate(target.goals):
        goals.append(_read_goal(pack, goal, max_images, goals, f"{field}.goals[{index}]"))
    strips = [index for index, goal in enumerate(goals) if len(goal.values) > 1]
    if len(strips) > 1:
        raise InvalidField(
            f"{field}.goals[{strips[1]}]",
            f"expected one value, as {field}.goals[{strips[0]}] holds several already",
        )
    tolerance, rounds = target.tolerance or TOLERANCE, target.max_rounds or MAX_ROUNDS
    if not 0 < tolerance <= 1:
        raise InvalidField(f"{field}.tolerance", f"expected a share above 0 and up to 1, got {tolerance:g}")
    if rounds > MOST_ROUNDS:
        raise InvalidField(f"{field}.max_rounds", f"expected 0 to {MOST_ROUNDS}, got {rounds}")
    seconds = None
    if target.HasField("time_budget"):
        seconds = target.time_budget.seconds + target.time_budget.nanos / 1e9
        if seconds <= 0:
            raise InvalidField(f"{field}.time_budget", f"expected a duration above 0, got {seconds:g} s")
    held = _read_held(pack, target, goals, f"{field}.hold")
    return AttributeTarget(tuple(goals), held, tolerance, rounds, seconds)


def _read_goal(
    pack: Pack, goal: editing_pb2.AttributeGoal, max_images: int, before: list[ReadingGoal], field: str
) -> ReadingGoal:
    place = _find(pack, goal.attribute, f"{field}.attribute")
    if any(other.attribute == place for other in before):
        raise InvalidField(
            f"{field}.attribute", f"expected each attribute once, got {goal.attribute!r} a second time"
        )
    attribute = pack.attributes[place]
    if not attribute.has_unit(goal.unit):
        unit = repr(attribute.unit) if attribute.unit else "no unit"
        raise InvalidField(
            f"{field}.unit",
            f"expected {unit} for {attribute.name!r}, got {shown(goal.unit)}",
            reason="UNKNOWN_UNIT",
        )
    if bool(goal.to) == bool(goal.by):
        got = "both" if goal.to else "neither"
        raise InvalidField(field, f"expected either to or by, got {got}")
    key, values = ("to", goal.to) if goal.to else ("by", goal.by)
    numbers = read_numbers(values, max_images, f"{field}.{key}")
    readings = tuple(_reading(attribute, number, relative=key == "by") for number in numbers)
    for index, reading in enumerate(readings):
        if not math.isfinite(reading) or abs(reading) > _MOST:
            raise InvalidField(
                f"{field}.{key}[{index}]",
                f"expected a value near {attribute.low:g} to {attribute.high:g}, got {numbers[index]:g}",
            )
    return ReadingGoal(place, readings, relative=key == "by")


def _reading(attribute: Attribute, number: float, *, relative: bool) -> float:
    return number / attribute.scale if relative else attribute.reading(number)


def _read_held(
    pack: Pack, target: editing_pb2.AttributeTarget, goals: list[ReadingGoal], field: str
) -> tuple[int, ...]:
    moved = {goal.attribute for goal in goals}
    if not target.HasField("hold"):
        return tuple(place for place in range(len(pack.attributes)) if place not in moved)
    held: list[int] = []
    for index, name in enumerate(target.hold.names):
        place = _find(pack, name, f"{field}.names[{index}]")
        if place in moved:
            raise InvalidField(
                f"{field}.names[{index}]",
                f"expected an attribute without a goal, got {name!r}, which has one",
            )
        if place in held:
            raise InvalidField(
                f"{field}.names[{index}]", f"expected each attribute once, got {name!r} a second time"
            )
        held.append(place)
    return tuple(sorted(held))


def _find(pack: Pack, name: str, field: str) -> int:
    if name not in pack.attribute_names:
        known = ", ".join(pack.attribute_names)
        raise UnknownName(
            field, f"no attribute {shown(name)}; there are: {known}", reason="UNKNOWN_ATTRIBUTE"
        )
    return pack.attribute_names.index(name)
