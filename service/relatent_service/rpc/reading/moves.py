"""Moves along a pack's directions, checked, as functions over codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from relatent.core.directions import Direction, DirectionSpace
from relatent.core.pack import Pack
from relatent.v1 import editing_pb2
from relatent_service.catalog import find_direction
from relatent_service.editing import arithmetic as editing
from relatent_service.errors import InvalidField

Floats = NDArray[np.float32]
Function = Callable[[Floats], Floats]
"""From codes [N, L, D] to codes [N, L, D], or from one to a strip of several."""

MAX_OPERATIONS = 64
"""Of one call: they are done between the events of all calls, which must not wait long."""


def run_in_order(functions: Mapping[str, Function], codes: Floats) -> Floats:
    """Run functions, by the fields of their numbers, one after the other.

    Raises:
        InvalidField: one of them leaves the range of float32.
    """
    for field, function in functions.items():
        with np.errstate(over="ignore", invalid="ignore"):
            codes = function(codes)
        if not np.isfinite(codes).all():
            raise InvalidField(
                field, "expected numbers that keep the code within float32", reason="NOT_FINITE"
            )
    return codes


def read_move(
    pack: Pack, move: editing_pb2.DirectionMove, max_images: int, field: str
) -> tuple[Function, tuple[float, ...]]:
    """A move of codes of W+, and its strengths.

    Raises:
        InvalidField: a field is not what it must be, or a direction is of Z.
        UnknownName: a direction is not there.
    """
    direction = _find(pack, move.direction, f"{field}.direction", of_z=False)
    strengths = read_numbers(move.strengths, max_images, f"{field}.strengths")
    rows = slice(direction.first_layer, direction.last_layer + 1)
    if move.HasField("layers"):
        rows = read_rows(pack, move.layers, f"{field}.layers")
    where = f"rows {rows.start} to {rows.stop - 1}"
    if not _steps(direction, direction.vector)[rows].any():
        raise InvalidField(
            f"{field}.layers", f"expected rows that {direction.name!r} moves; it is zero in {where}"
        )
    return _function(pack, direction, move, rows, where, field), strengths


def read_z_moves(pack: Pack, moves: Sequence[editing_pb2.DirectionMove], field: str) -> dict[str, Function]:
    """Moves of what samples are drawn from, codes [N, 1, Z], by the fields of their numbers.

    Raises:
        InvalidField: a field is not what it must be, or a direction is not of Z.
        UnknownName: a direction is not there.
    """
    if len(moves) > MAX_OPERATIONS:
        raise InvalidField(field, f"expected at most {MAX_OPERATIONS}, got {len(moves)}")
    functions: dict[str, Function] = {}
    for index, move in enumerate(moves):
        path = f"{field}[{index}]"
        direction = _find(pack, move.direction, f"{path}.direction", of_z=True)
        read_numbers(move.strengths, 1, f"{path}.strengths")
        if move.HasField("layers"):
            raise InvalidField(f"{path}.layers", "expected none, as there are no rows in Z")
        functions[f"{path}.strengths"] = _function(pack, direction, move, slice(0, 1), "Z", path)
    return functions


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


def read_rows(pack: Pack, layers: editing_pb2.LayerRange, field: str) -> slice:
    """Rows of a pack's codes.

    Raises:
        InvalidField: there are no such.
    """
    if not layers.first <= layers.last < pack.layers:
        raise InvalidField(
            field, f"expected first <= last <= {pack.layers - 1}, got {layers.first} and {layers.last}"
        )
    return slice(layers.first, layers.last + 1)


def _find(pack: Pack, name: str, field: str, *, of_z: bool) -> Direction:
    direction = find_direction(pack, name, field)
    if of_z and direction.space is not DirectionSpace.Z:
        raise InvalidField(
            field,
            f"expected a direction of Z; {name!r} is of {direction.space.upper()} and moves codes: use Edit",
        )
    if not of_z and direction.space is DirectionSpace.Z:
        raise InvalidField(
            field,
            f"expected a direction of W or W+; {name!r} is of Z, before the mapping network, and moves no "
            "code: use Sample with z_moves",
        )
    return direction


def _function(
    pack: Pack, direction: Direction, move: editing_pb2.DirectionMove, rows: slice, where: str, field: str
) -> Function:
    vector = _orthogonal(pack, direction, move, rows, where, field)
    strengths = np.array(move.strengths, np.float32)
    if move.mode == editing_pb2.STRENGTH_MODE_ABSOLUTE:
        return partial(
            editing.move_to,
            direction=vector,
            normal=direction.vector,
            bias=direction.bias,
            lengths=np.array(direction.lengths, np.float32),
            strengths=strengths,
            rows=rows,
        )
    if move.mode not in (editing_pb2.STRENGTH_MODE_UNSPECIFIED, editing_pb2.STRENGTH_MODE_RELATIVE):
        raise InvalidField(f"{field}.mode", f"expected RELATIVE (1) or ABSOLUTE (2), got {move.mode}")
    return partial(editing.move, direction=_steps(direction, vector), strengths=strengths, rows=rows)


def _orthogonal(
    pack: Pack, direction: Direction, move: editing_pb2.DirectionMove, rows: slice, where: str, field: str
) -> Floats:
    """The direction's rows, less their part along the conditions, which are of the same space."""
    if not move.conditions:
        return direction.vector
    if len(move.conditions) > len(pack.directions):
        raise InvalidField(
            f"{field}.conditions",
            f"expected each of the pack's {len(pack.directions)} directions once at most, "
            f"got {len(move.conditions)} names",
        )
    of_z = direction.space is DirectionSpace.Z
    others = [
        _find(pack, name, f"{field}.conditions[{index}]", of_z=of_z).vector
        for index, name in enumerate(move.conditions)
    ]
    vector = editing.orthogonalise(direction.vector, others)
    if not _steps(direction, vector)[rows].any():
        raise InvalidField(
            f"{field}.conditions",
            f"expected conditions that leave something of {direction.name!r}; "
            f"in {where} it lies within the span of {', '.join(move.conditions)}",
            reason="NOTHING_LEFT",
        )
    return vector


def _steps(direction: Direction, vector: Floats) -> Floats:
    """Where one unit of strength goes, [L, D]: rows of unit norm, each by its length."""
    return np.array(direction.lengths, np.float32)[:, None] * vector
