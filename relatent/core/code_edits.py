"""Edits of codes of any space: what moves, what is carried along, and what has no meaning.

An operation on codes of W+ moves the part `w` of a code that has more; the rest is carried. The M codes of
one of `Space.MULTI` are all moved alike. Going to another code takes every part along. A direction of S moves
the styles' change alone, and makes codes of S of those of W+.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from relatent.core.codes import Codes, NoSuchCode
from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove, ExpressionTransfer, LearnedMove, StyleMix, Truncation
from relatent.core.spaces import PLAIN, Space
from relatent.core.targets import AttributeTarget
from relatent.core.text import TextMove


class CodeOutOfRange(ArithmeticError):
    """An operation took a code out of the range of float32.

    Attributes:
        index: which operation of the edit.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"operation {index} takes the code out of the range of float32")
        self.index = index


@dataclass(frozen=True)
class Interpolation:
    """Go a part of the way to another code.

    Attributes:
        other: the code, of the same space, or one of the two of W+ and neither of several codes: where one
            has offsets and the other none, they fade.
        amounts: 0 stays, 1 arrives; one for each code, or several for one code, which make a strip.
    """

    other: Codes
    amounts: tuple[float, ...]

    @property
    def strip(self) -> tuple[float, ...]:
        """The numbers that may be several."""
        return self.amounts

    def apply(self, codes: Codes) -> Codes:
        """Codes to as many, or one code to one for each amount."""
        ours = codes.lifted(self.other) if codes.space in PLAIN else codes
        theirs = self.other.lifted(ours)
        parts = {}
        for name, array in ours.parts.items():
            share = np.array(self.amounts, np.float32).reshape(-1, *[1] * (array.ndim - 1))
            parts[name] = ((1 - share) * array + share * theirs.parts[name]).astype(array.dtype)
        return Codes(ours.space, parts)


@dataclass(frozen=True)
class Reduction:
    """Leave of codes their W+ part."""

    strip: tuple[float, ...] = ()


PlainOperation: TypeAlias = (
    DirectionMove | StyleMix | ExpressionTransfer | Interpolation | Truncation | Reduction
)
CodeOperation: TypeAlias = PlainOperation | AttributeTarget | LearnedMove | TextMove
"""Those that are not plain need a pack's graphs."""


@dataclass(frozen=True)
class CodeEdit:
    """Operations, one after the other; at most one of them has several numbers."""

    operations: tuple[CodeOperation, ...]

    @property
    def strip(self) -> tuple[float, ...]:
        """The strengths or amounts that make several codes of one; empty if none does."""
        return next((each.strip for each in self.operations if len(each.strip) > 1), ())

    @property
    def targets(self) -> list[AttributeTarget]:
        """The operations that need images to be read (`relatent_service.editing.exact`)."""
        return [each for each in self.operations if isinstance(each, AttributeTarget)]

    @property
    def images(self) -> int:
        """How many codes it makes of one."""
        return max(1, len(self.strip))

    @property
    def least_images(self) -> int:
        """How many images any answer takes: those asked for, and for each target as many to read."""
        return self.images + (1 + self.images) * len(self.targets)

    @property
    def most_images(self) -> int:
        """How many images are made at most."""
        return self.images + sum(1 + self.images * target.max_rounds for target in self.targets)

    def spaces(self, space: Space) -> list[Space]:
        """The space of a code of `space` before each operation and after the last.

        Raises:
            MeaninglessOperation: an operation has no meaning for the space that it meets.
        """
        met = [space]
        for index, operation in enumerate(self.operations):
            try:
                met.append(_space_after(operation, met[-1]))
            except NoSuchCode as error:
                raise MeaninglessOperation(index, str(error)) from error
        return met

    def apply(self, codes: Codes) -> Codes:
        """Codes to as many, or one code to one for each number where there is a strip.

        Raises:
            CodeOutOfRange: an operation leaves the range of float32.
            NoSuchCode: an operation has no meaning for codes of this space; `spaces` tells beforehand.
            TypeError: an operation needs a pack's graphs.
        """
        for index, operation in enumerate(self.operations):
            if isinstance(operation, AttributeTarget | LearnedMove | TextMove):
                raise TypeError(f"a {type(operation).__name__} needs a pack's graphs")
            codes = applied(operation, index, codes)
        return codes


def applied(operation: PlainOperation, index: int, codes: Codes) -> Codes:
    """What one operation, the edit's `index`th, makes of codes.

    Raises:
        CodeOutOfRange, NoSuchCode: as `CodeEdit.apply` does.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        codes = _applied(operation, codes)
    return within_range(codes, index)


def within_range(codes: Codes, index: int) -> Codes:
    """Codes that the `index`th operation made, if they are within the range of float32.

    Raises:
        CodeOutOfRange: they are not.
    """
    if not all(np.isfinite(array).all() for array in codes.parts.values()):
        raise CodeOutOfRange(index)
    return codes


class MeaninglessOperation(ValueError):
    """An operation has no meaning for codes of a space.

    Attributes:
        index: which operation of the edit.
    """

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


def _applied(operation: PlainOperation, codes: Codes) -> Codes:
    match operation:
        case DirectionMove(direction=Direction(space=Space.STYLE) as direction):
            return codes.styled(operation.apply, direction.vector.shape[1])
        case Interpolation():
            return operation.apply(codes)
        case Reduction():
            return codes.reduced()
        case _ if codes.space is Space.MULTI:
            moved = [operation.apply(codes.w[:, index]) for index in range(codes.w.shape[1])]
            return codes.with_w(np.stack(moved, axis=1))
        case _:
            return codes.with_w(operation.apply(codes.w))


def _space_after(operation: CodeOperation, space: Space) -> Space:
    match operation:
        case TextMove() | DirectionMove(direction=Direction(space=Space.STYLE)):
            if space not in (*PLAIN, Space.STYLE):
                raise NoSuchCode(f"styles are moved of codes of w, w+ and s, not of {space}")
            return Space.STYLE
        case LearnedMove() if space is Space.MULTI:
            raise NoSuchCode(f"a learned direction moves one code of {Space.W_PLUS}, not several at once")
        case Reduction() if space is Space.MULTI:
            raise NoSuchCode(f"a code of {space} is several of {Space.W_PLUS} and has no such part alone")
        case Reduction():
            return Space.W_PLUS
        case Interpolation(other=other) if other.space is not space:
            if Space.MULTI in (space, other.space) or not {space, other.space} & set(PLAIN):
                raise NoSuchCode(f"expected a code of {space}, got one of {other.space}")
            return other.space if space in PLAIN else space
        case _:
            return space
