"""The operations of an edit, checked, as functions over codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from relatent.pack import Direction, Pack
from relatent.v1 import editing_pb2
from service import editing
from service.catalog import find_direction
from service.errors import InvalidField
from service.rpc.messages import read_latent

Floats = NDArray[np.float32]

MAX_OPERATIONS = 64
"""Of one edit: they are done between the events of all calls, which must not wait long."""


@dataclass(frozen=True)
class Edit:
    """An edit, checked.

    Attributes:
        apply: each from codes [N, L, D] to codes [N, L, D], or from one to a strip of several; by the
            field of its numbers.
        strip: the strengths or amounts of the strip, if there is one.
    """

    apply: Mapping[str, Callable[[Floats], Floats]]
    strip: tuple[float, ...]

    @property
    def images(self) -> int:
        """How many it makes."""
        return max(1, len(self.strip))

    def run(self, w: Floats) -> Floats:
        """Edit a code float32 [L, D]; the result is [N, L, D], one for each image.

        Raises:
            InvalidField: it leaves the range of float32.
        """
        codes = w[None]
        for field, operation in self.apply.items():
            with np.errstate(over="ignore", invalid="ignore"):
                codes = operation(codes)
            if not np.isfinite(codes).all():
                raise InvalidField(
                    field, "expected numbers that keep the code within float32", reason="NOT_FINITE"
                )
        return codes


def read_edit(pack: Pack, operations: Sequence[editing_pb2.Operation], max_images: int) -> Edit:
    """Check the operations of an edit against a pack.

    Raises:
        ServiceError: a field is not what it must be, or names a direction that is not there.
    """
    if len(operations) > MAX_OPERATIONS:
        raise InvalidField("operations", f"expected at most {MAX_OPERATIONS}, got {len(operations)}")
    functions: dict[str, Callable[[Floats], Floats]] = {}
    strip: tuple[float, ...] = ()
    strip_field = ""
    for index, operation in enumerate(operations):
        field = f"operations[{index}]"
        numbers, function, values = _read_operation(pack, operation, max_images, field)
        functions[numbers] = function
        if len(values) > 1:
            if strip:
                raise InvalidField(
                    field, f"expected one strength or amount, as {strip_field} holds several already"
                )
            strip, strip_field = values, field
    return Edit(functions, strip)


def _read_operation(
    pack: Pack, operation: editing_pb2.Operation, max_images: int, field: str
) -> tuple[str, Callable[[Floats], Floats], tuple[float, ...]]:
    """The field of its numbers, what it does, and the numbers that can make a strip."""
    match operation.WhichOneof("kind"):
        case "direction":
            path = f"{field}.direction"
            return f"{path}.strengths", *_read_move(pack, operation.direction, max_images, path)
        case "style_mix":
            path = f"{field}.style_mix"
            if not operation.style_mix.HasField("layers"):
                raise InvalidField(f"{path}.layers", "expected the rows to take")
            rows = _read_rows(pack, operation.style_mix.layers, f"{path}.layers")
            other = read_latent(pack, operation.style_mix.other, f"{path}.other")
            return path, partial(editing.mix, other=other, rows=rows), ()
        case "interpolation":
            other = read_latent(pack, operation.interpolation.other, f"{field}.interpolation.other")
            path = f"{field}.interpolation.amounts"
            amounts = _read_numbers(operation.interpolation.amounts, max_images, path)
            for index, amount in enumerate(amounts):
                if not -1 <= amount <= 2:
                    raise InvalidField(f"{path}[{index}]", f"expected -1 to 2, got {amount:g}")
            array = np.array(amounts, np.float32)
            return path, partial(editing.interpolate, other=other, amounts=array), amounts
        case "truncation":
            psi, path = operation.truncation.psi, f"{field}.truncation.psi"
            if not 0 <= psi <= 1:
                raise InvalidField(path, f"expected 0 to 1, got {psi:g}")
            return path, partial(editing.truncate, mean=pack.mean, psi=psi), ()
        case _:
            raise InvalidField(field, "expected direction, style_mix, interpolation or truncation, got none")


def _read_move(
    pack: Pack, move: editing_pb2.DirectionMove, max_images: int, field: str
) -> tuple[Callable[[Floats], Floats], tuple[float, ...]]:
    direction = find_direction(pack, move.direction, f"{field}.direction")
    strengths = _read_numbers(move.strengths, max_images, f"{field}.strengths")
    rows = slice(direction.first_layer, direction.last_layer + 1)
    if move.HasField("layers"):
        rows = _read_rows(pack, move.layers, f"{field}.layers")
    vector = _read_vector(pack, direction, move, rows, field)
    array = np.array(strengths, np.float32)
    if move.mode == editing_pb2.STRENGTH_MODE_ABSOLUTE:
        target = partial(
            editing.move_to,
            direction=vector,
            normal=direction.vector,
            bias=direction.bias,
            strengths=array,
            rows=rows,
        )
        return target, strengths
    if move.mode not in (editing_pb2.STRENGTH_MODE_UNSPECIFIED, editing_pb2.STRENGTH_MODE_RELATIVE):
        raise InvalidField(f"{field}.mode", f"expected RELATIVE (1) or ABSOLUTE (2), got {move.mode}")
    return partial(editing.move, direction=vector, strengths=array, rows=rows), strengths


def _read_vector(
    pack: Pack, direction: Direction, move: editing_pb2.DirectionMove, rows: slice, field: str
) -> Floats:
    """The direction, less its part along the conditions."""
    shown_rows = f"rows {rows.start} to {rows.stop - 1}"
    if not direction.vector[rows].any():
        raise InvalidField(
            f"{field}.layers", f"expected rows that {direction.name!r} moves; it is zero in {shown_rows}"
        )
    if not move.conditions:
        return direction.vector
    if len(move.conditions) > len(pack.directions):
        raise InvalidField(
            f"{field}.conditions",
            f"expected each of the pack's {len(pack.directions)} directions once at most, "
            f"got {len(move.conditions)} names",
        )
    others = [
        find_direction(pack, name, f"{field}.conditions[{index}]").vector
        for index, name in enumerate(move.conditions)
    ]
    vector = editing.orthogonalise(direction.vector, others)
    if not vector[rows].any():
        raise InvalidField(
            f"{field}.conditions",
            f"expected conditions that leave something of {direction.name!r}; "
            f"in {shown_rows} it lies within the span of {', '.join(move.conditions)}",
            reason="NOTHING_LEFT",
        )
    return vector


def _read_numbers(values: Sequence[float], max_images: int, field: str) -> tuple[float, ...]:
    if not 1 <= len(values) <= max_images:
        raise InvalidField(field, f"expected 1 to {max_images} numbers, got {len(values)}")
    for index, value in enumerate(values):
        if not math.isfinite(value):
            raise InvalidField(f"{field}[{index}]", f"expected a finite number, got {value:g}")
    return tuple(values)


def _read_rows(pack: Pack, layers: editing_pb2.LayerRange, field: str) -> slice:
    if not layers.first <= layers.last < pack.layers:
        raise InvalidField(
            field, f"expected first <= last <= {pack.layers - 1}, got {layers.first} and {layers.last}"
        )
    return slice(layers.first, layers.last + 1)
