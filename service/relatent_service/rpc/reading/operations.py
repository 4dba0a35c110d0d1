"""The operations of an edit, checked, as functions over codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent.v1 import editing_pb2
from relatent_service.editing import arithmetic as editing
from relatent_service.errors import InvalidField
from relatent_service.rpc.messages import read_latent
from relatent_service.rpc.reading.moves import (
    MAX_OPERATIONS,
    Function,
    read_move,
    read_numbers,
    read_rows,
    run_in_order,
)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Edit:
    """An edit, checked.

    Attributes:
        apply: in order, by the fields of their numbers.
        strip: the strengths or amounts of the strip, if there is one.
    """

    apply: Mapping[str, Function]
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
        return run_in_order(self.apply, w[None])


def read_edit(pack: Pack, operations: Sequence[editing_pb2.Operation], max_images: int) -> Edit:
    """Check the operations of an edit against a pack.

    Raises:
        ServiceError: a field is not what it must be, or names a direction that is not there.
    """
    if len(operations) > MAX_OPERATIONS:
        raise InvalidField("operations", f"expected at most {MAX_OPERATIONS}, got {len(operations)}")
    functions: dict[str, Function] = {}
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
) -> tuple[str, Function, tuple[float, ...]]:
    """The field of its numbers, what it does, and the numbers that can make a strip."""
    match operation.WhichOneof("kind"):
        case "direction":
            path = f"{field}.direction"
            return f"{path}.strengths", *read_move(pack, operation.direction, max_images, path)
        case "style_mix":
            path = f"{field}.style_mix"
            if not operation.style_mix.HasField("layers"):
                raise InvalidField(f"{path}.layers", "expected the rows to take")
            rows = read_rows(pack, operation.style_mix.layers, f"{path}.layers")
            other = read_latent(pack, operation.style_mix.other, f"{path}.other")
            return path, partial(editing.mix, other=other, rows=rows), ()
        case "interpolation":
            other = read_latent(pack, operation.interpolation.other, f"{field}.interpolation.other")
            path = f"{field}.interpolation.amounts"
            amounts = read_numbers(operation.interpolation.amounts, max_images, path)
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
