"""Moves along a pack's directions, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove, LearnedMove
from relatent.core.pack import Pack
from relatent.core.spaces import PLAIN, Space
from relatent.v1 import editing_pb2
from relatent_service.catalog import find_direction
from relatent_service.errors import InvalidField

_MODES = {
    editing_pb2.STRENGTH_MODE_UNSPECIFIED: False,
    editing_pb2.STRENGTH_MODE_RELATIVE: False,
    editing_pb2.STRENGTH_MODE_ABSOLUTE: True,
}
"""Whether strengths are absolute."""
_OF_CODES = (*PLAIN, Space.P, Space.STYLE)
"""Spaces whose directions move codes."""


def read_move(
    pack: Pack, move: editing_pb2.DirectionMove, max_images: int, field: str
) -> DirectionMove | LearnedMove:
    """A move of codes, by a direction of any space but Z.

    Raises:
        InvalidField: a field is not what it must be, or a direction is of another space.
        UnknownName: a direction is not there.
    """
    direction = _find(pack, move.direction, f"{field}.direction", _OF_CODES)
    strengths = read_numbers(move.strengths, max_images, f"{field}.strengths")
    if direction.learned or direction.space is Space.STYLE:
        _check_bare(direction, move, field)
        if direction.learned:
            return LearnedMove(direction, strengths)
        return _complete(pack, DirectionMove(direction, strengths), move, field)
    layers = read_layers(pack, move.layers, f"{field}.layers") if move.HasField("layers") else None
    plain = DirectionMove(direction, strengths, layers)
    if not plain.moves:
        raise InvalidField(
            f"{field}.layers",
            f"expected layers that {direction.name!r} moves; it is zero in {_where(plain)}",
        )
    return _complete(pack, plain, move, field)


def read_z_move(pack: Pack, move: editing_pb2.DirectionMove, field: str) -> DirectionMove:
    """A move of what samples are drawn from, by one strength.

    Raises:
        InvalidField: a field is not what it must be, or a direction is not of Z.
        UnknownName: a direction is not there.
    """
    direction = _find(pack, move.direction, f"{field}.direction", (Space.Z,))
    strengths = read_numbers(move.strengths, 1, f"{field}.strengths")
    if move.HasField("layers"):
        raise InvalidField(f"{field}.layers", "expected none: a direction of Z has no layers")
    return _complete(pack, DirectionMove(direction, strengths), move, field)


def read_numbers(values: Sequence[float], most: int, field: str) -> tuple[float, ...]:
    """Finite numbers, from one to so many.

    Raises:
        InvalidField: there are none, or too many, or one is not finite.
    """
    if not 1 <= len(values) <= most:
        expected = "one number" if most == 1 else f"1 to {most} numbers"
        raise InvalidField(field, f"expected {expected}, got {len(values)}")
    for index, value in enumerate(values):
        if not math.isfinite(value):
            raise InvalidField(f"{field}[{index}]", f"expected a finite number, got {value:g}")
    return tuple(values)


def read_layers(pack: Pack, layers: editing_pb2.LayerRange, field: str) -> tuple[int, int]:
    """First and last layer of a pack's codes.

    Raises:
        InvalidField: there are no such.
    """
    if not layers.first <= layers.last < pack.layers:
        raise InvalidField(
            field, f"expected first <= last <= {pack.layers - 1}, got {layers.first} and {layers.last}"
        )
    return layers.first, layers.last


def _check_bare(direction: Direction, move: editing_pb2.DirectionMove, field: str) -> None:
    """Check that a move asks for no layers and no boundary of a direction that has none."""
    what = "a learned direction" if direction.learned else "a direction of S"
    if move.HasField("layers"):
        raise InvalidField(f"{field}.layers", f"expected none: {what} moves no single layers of a code")
    if _MODES.get(move.mode, True):
        raise InvalidField(f"{field}.mode", f"expected RELATIVE (1): {what} has no boundary")
    if direction.learned and move.conditions:
        raise InvalidField(f"{field}.conditions", f"expected none: {what} has no vector to take others from")


def _find(pack: Pack, name: str, field: str, spaces: Sequence[Space]) -> Direction:
    direction = find_direction(pack, name, field)
    if direction.space in spaces:
        return direction
    expected = f"expected a direction of {' or '.join(space.upper() for space in spaces)}; "
    if Space.Z in spaces:
        why = f"{name!r} is of {direction.space.upper()} and moves codes: use Edit"
    elif direction.space is Space.Z:
        why = f"{name!r} is of Z, before the mapping network, and moves no code: use Sample with z_moves"
    else:
        why = f"{name!r} is of {direction.space.upper()}, and conditions are of the space that codes move in"
    raise InvalidField(field, expected + why)


def _complete(pack: Pack, plain: DirectionMove, move: editing_pb2.DirectionMove, field: str) -> DirectionMove:
    """A move with its mode and its conditions, which are of the same space."""
    if move.mode not in _MODES:
        raise InvalidField(f"{field}.mode", f"expected RELATIVE (1) or ABSOLUTE (2), got {move.mode}")
    if len(move.conditions) > len(pack.directions):
        raise InvalidField(
            f"{field}.conditions",
            f"expected each of the pack's {len(pack.directions)} directions once at most, "
            f"got {len(move.conditions)} names",
        )
    space = plain.direction.space
    spaces = PLAIN if space in PLAIN else (space,)  # one normal of W stands for all layers of W+
    conditions = tuple(
        _find(pack, name, f"{field}.conditions[{index}]", spaces)
        for index, name in enumerate(move.conditions)
    )
    for index, condition in enumerate(conditions):
        if condition.learned:
            raise InvalidField(
                f"{field}.conditions[{index}]",
                f"expected a direction that has a vector; {condition.name!r} is a learned one",
            )
    complete = replace(plain, absolute=_MODES[move.mode], conditions=conditions)
    if conditions and not complete.moves:
        raise InvalidField(
            f"{field}.conditions",
            f"expected conditions that leave something of {plain.direction.name!r}; "
            f"in {_where(plain)} it lies within the span of {', '.join(move.conditions)}",
            reason="NOTHING_LEFT",
        )
    return complete


def _where(move: DirectionMove) -> str:
    if move.direction.space in (Space.Z, Space.STYLE):
        return move.direction.space.upper()
    return f"layers {move.span.start} to {move.span.stop - 1}"
