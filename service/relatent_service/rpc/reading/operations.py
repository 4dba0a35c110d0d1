"""The operations of an edit, checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.code_edits import (
    CodeEdit,
    CodeOperation,
    CodeOutOfRange,
    Interpolation,
    MeaninglessOperation,
    Reduction,
)
from relatent.core.edits import PUBLISHED_THRESHOLD, ExpressionTransfer, StyleMix, Truncation
from relatent.core.pack import Pack
from relatent.core.spaces import Space
from relatent.core.targets import AttributeTarget
from relatent.v1 import editing_pb2, types_pb2
from relatent_service.editing.canvas import NothingRelevant
from relatent_service.editing.exact import NotReadable
from relatent_service.errors import AttributesNotFinite, InvalidField
from relatent_service.rpc.reading.moves import read_layers, read_move, read_numbers, read_z_move
from relatent_service.rpc.reading.targets import read_target
from relatent_service.rpc.reading.texts import read_text_move
from relatent_service.rpc.reading.values import read_latent

Floats = NDArray[np.float32]

MAX_OPERATIONS = 64
"""Of one call: they are done between the events of all calls, which must not wait long."""


@dataclass(frozen=True)
class ParsedEdit:
    """An edit, checked.

    Attributes:
        edit: what to do.
        fields: path of each operation's numbers in the request.
        strip: the numbers that make several images of one, as the caller wrote them.
    """

    edit: CodeEdit
    fields: tuple[str, ...]
    strip: tuple[float, ...] = ()

    @contextmanager
    def naming_fields(self) -> Iterator[None]:
        """Name the field of an operation that goes wrong.

        Raises:
            InvalidField: an operation left the range of float32.
            AttributesNotFinite: what a target was to move cannot be read.
            InvalidField: no channel was as relevant to a text as was asked.
        """
        try:
            yield
        except NotReadable as error:
            target = next(
                field
                for field, operation in zip(self.fields, self.edit.operations, strict=True)
                if isinstance(operation, AttributeTarget)
            )
            raise AttributesNotFinite(
                target,
                f"the pack's attribute network answers no finite number for {', '.join(error.attributes)}",
            ) from error
        except NothingRelevant as error:
            field = next(
                field.removesuffix(".strengths")
                for field, operation in zip(self.fields, self.edit.operations, strict=True)
                if operation is error.move
            )
            raise InvalidField(
                f"{field}.beta",
                "expected a relevance that some channel has for the prompt; "
                f"none has {error.move.beta:g} or more",
                reason="NOTHING_LEFT",
            ) from error
        except CodeOutOfRange as error:
            raise InvalidField(
                self.fields[error.index],
                "expected numbers that keep the code within float32",
                reason="NOT_FINITE",
            ) from error


def read_edit(
    pack: Pack,
    operations: Sequence[editing_pb2.Operation],
    max_images: int,
    space: Space,
    prefix: str = "",
) -> ParsedEdit:
    """Check the operations of an edit of a code of a space against a pack.

    Args:
        pack: whose directions, attributes and codes they name.
        operations: in order.
        max_images: how many images they may make.
        space: of the code.
        prefix: what stands before `operations` in the request, such as `change.`.

    Raises:
        ServiceError: a field is not what it must be, or names a direction that is not there.
    """
    path = f"{prefix}operations"
    _check_count(operations, path)
    read = [
        _read_operation(pack, operation, max_images, f"{path}[{index}]")
        for index, operation in enumerate(operations)
    ]
    strips = [index for index, (_, operation) in enumerate(read) if len(operation.strip) > 1]
    if len(strips) > 1:
        raise InvalidField(
            f"{path}[{strips[1]}]",
            f"expected one strength, amount or value, as {path}[{strips[0]}] holds several already",
        )
    edit = CodeEdit(tuple(operation for _, operation in read))
    try:
        edit.spaces(Space.W_PLUS if space is Space.W else space)
    except MeaninglessOperation as error:
        kind = operations[error.index].WhichOneof("kind")
        field = f"{path}[{error.index}].{kind}"
        raise InvalidField(
            f"{field}.other.space" if kind == "interpolation" else field,
            str(error),
            reason="MEANINGLESS_IN_SPACE",
        ) from error
    return ParsedEdit(edit, tuple(field for field, _ in read), _strip(operations, edit))


def read_z_moves(pack: Pack, moves: Sequence[editing_pb2.DirectionMove], field: str) -> ParsedEdit:
    """Moves of what samples are drawn from, one strength each.

    Raises:
        ServiceError: a field is not what it must be, or names a direction that is not there or not of Z.
    """
    _check_count(moves, field)
    fields = [f"{field}[{index}]" for index in range(len(moves))]
    read = [read_z_move(pack, move, path) for move, path in zip(moves, fields, strict=True)]
    return ParsedEdit(CodeEdit(tuple(read)), tuple(f"{path}.strengths" for path in fields))


def _check_count(operations: Sequence[object], field: str) -> None:
    if len(operations) > MAX_OPERATIONS:
        raise InvalidField(field, f"expected at most {MAX_OPERATIONS}, got {len(operations)}")


def _read_operation(
    pack: Pack, operation: editing_pb2.Operation, max_images: int, field: str
) -> tuple[str, CodeOperation]:
    """The field of an operation's numbers, and the operation."""
    match operation.WhichOneof("kind"):
        case "direction":
            path = f"{field}.direction"
            return f"{path}.strengths", read_move(pack, operation.direction, max_images, path)
        case "style_mix":
            path = f"{field}.style_mix"
            return path, _read_style_mix(pack, operation.style_mix, path)
        case "interpolation":
            path = f"{field}.interpolation"
            return f"{path}.amounts", _read_interpolation(pack, operation.interpolation, max_images, path)
        case "expression_transfer":
            path = f"{field}.expression_transfer"
            transfer = _read_transfer(pack, operation.expression_transfer, max_images, path)
            return f"{path}.amounts", transfer
        case "truncation":
            psi, path = operation.truncation.psi, f"{field}.truncation.psi"
            if not 0 <= psi <= 1:
                raise InvalidField(path, f"expected 0 to 1, got {psi:g}")
            return path, Truncation(pack.mean, psi)
        case "reduction":
            return f"{field}.reduction", Reduction()
        case "text":
            path = f"{field}.text"
            return f"{path}.strengths", read_text_move(pack, operation.text, max_images, path)
        case "attribute_target":
            path = f"{field}.attribute_target"
            return path, read_target(pack, operation.attribute_target, max_images, path)
        case _:
            raise InvalidField(
                field,
                "expected direction, style_mix, interpolation, truncation, reduction, attribute_target, "
                "expression_transfer or text, got none",
            )


def _strip(operations: Sequence[editing_pb2.Operation], edit: CodeEdit) -> tuple[float, ...]:
    for operation in operations:
        for goal in operation.attribute_target.goals:
            if len(values := goal.to or goal.by) > 1:
                return tuple(values)
    return edit.strip


def _read_style_mix(pack: Pack, mix: editing_pb2.StyleMix, field: str) -> StyleMix:
    if not mix.HasField("layers"):
        raise InvalidField(f"{field}.layers", "expected the layers to take, got none")
    layers = read_layers(pack, mix.layers, f"{field}.layers")
    return StyleMix(_read_vectors(pack, mix.other, f"{field}.other"), layers)


def _read_transfer(
    pack: Pack, transfer: editing_pb2.ExpressionTransfer, max_images: int, field: str
) -> ExpressionTransfer:
    threshold = transfer.threshold if transfer.HasField("threshold") else PUBLISHED_THRESHOLD
    if not 0 <= threshold < math.inf:
        raise InvalidField(f"{field}.threshold", f"expected a number of at least 0, got {threshold:g}")
    read = ExpressionTransfer(
        source=_read_vectors(pack, transfer.source, f"{field}.source"),
        target=_read_vectors(pack, transfer.target, f"{field}.target"),
        amounts=read_numbers(transfer.amounts, max_images, f"{field}.amounts"),
        threshold=threshold,
    )
    if not read.difference.any():
        raise InvalidField(
            f"{field}.target",
            f"expected a code that differs from the source by a channel of norm {threshold:g} or more, "
            "or a lower threshold",
            reason="NOTHING_LEFT",
        )
    return read


def _read_vectors(pack: Pack, latent: types_pb2.Latent, field: str) -> Floats:
    """The vectors of a code of any space that has one a layer, float32 [L, D]."""
    code = read_latent(pack, latent, field)
    if code.space is Space.MULTI:
        raise InvalidField(
            f"{field}.space",
            f"expected a code that has one vector a layer, got one of {code.space}",
            reason="MEANINGLESS_IN_SPACE",
        )
    vectors: Floats = code.w[0]
    return vectors


def _read_interpolation(
    pack: Pack, interpolation: editing_pb2.Interpolation, max_images: int, field: str
) -> Interpolation:
    other = read_latent(pack, interpolation.other, f"{field}.other")
    amounts = read_numbers(interpolation.amounts, max_images, f"{field}.amounts")
    for index, amount in enumerate(amounts):
        if not -1 <= amount <= 2:
            raise InvalidField(f"{field}.amounts[{index}]", f"expected -1 to 2, got {amount:g}")
    return Interpolation(other, amounts)
