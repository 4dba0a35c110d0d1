"""Latent codes as the halves handle them: some of one space at a time, their parts side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.spaces import CODE, PLAIN, STYLES, Space

Array = NDArray[Any]
Floats = NDArray[np.float32]

OFFSETS = ("offset", "residuals", STYLES)
"""Parts that a code of W+ has not, and for which it therefore has zeros."""
ORIGIN = "origin"
"""The part that holds the W+ code to which a code's offsets belong, float32 [L, D]; edits leave it."""


class NoSuchCode(ValueError):
    """Codes of a space have no meaning where they were to be used; the message says which, and where."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of one space.

    Attributes:
        space: any but Z and P.
        parts: arrays by name, each with the same leading axis over the codes.
    """

    space: Space
    parts: Mapping[str, Array]

    @classmethod
    def plain(cls, w: Floats) -> Codes:
        """Codes of W+, float32 [N, L, D]."""
        return cls(Space.W_PLUS, {CODE: w})

    @classmethod
    def joined(cls, several: Sequence[Codes]) -> Codes:
        """Codes of one space, one after the other."""
        first = several[0]
        parts = {name: np.concatenate([codes.parts[name] for codes in several]) for name in first.parts}
        return cls(first.space, parts)

    def __len__(self) -> int:
        return len(self.w)

    def __getitem__(self, picked: slice) -> Codes:
        """Some of them."""
        return Codes(self.space, {name: array[picked] for name, array in self.parts.items()})

    def at(self, places: NDArray[np.intp]) -> Codes:
        """Those at some places."""
        return Codes(self.space, {name: array[places] for name, array in self.parts.items()})

    @property
    def w(self) -> Floats:
        """What edits move: float32 [N, L, D]; [N, D] in W, [N, M, L, D] of M codes each."""
        return self.parts[CODE]

    @property
    def carried(self) -> Mapping[str, Array]:
        """The parts that edits carry along."""
        return {name: array for name, array in self.parts.items() if name != CODE}

    def with_w(self, w: Floats) -> Codes:
        """The same with other numbers to edit; one code's other parts are repeated for several."""
        carried = self.carried
        if len(w) != len(self):
            carried = {name: np.repeat(array, len(w), axis=0) for name, array in carried.items()}
        return Codes(self.space, {CODE: w, **carried})

    def shifted(self, shifts: Floats) -> Codes:
        """The same moved by shifts float32 [N, L, D]; the M codes of one of `Space.MULTI` are moved alike."""
        return self.with_w(self.w + (shifts[:, None] if self.space is Space.MULTI else shifts))

    def reduced(self) -> Codes:
        """Their W+ part.

        Raises:
            NoSuchCode: they have no one such part.
        """
        if self.space is Space.MULTI:
            raise NoSuchCode(f"a code of {self.space} is several of {Space.W_PLUS} and has no one such part")
        return Codes.plain(self.w)

    def lifted(self, to: Codes) -> Codes:
        """Codes of W+ in the space of others: with offsets of zero. Those of that space stay as they are.

        Raises:
            NoSuchCode: they cannot be of that space.
        """
        if self.space is to.space:
            return self
        if self.space not in PLAIN or to.space is Space.MULTI:
            raise NoSuchCode(f"expected a code of {to.space}, got one of {self.space}")
        offsets = {
            name: np.zeros((len(self), *array.shape[1:]), array.dtype)
            for name, array in to.parts.items()
            if name in OFFSETS
        }
        origin = {ORIGIN: self.w} if ORIGIN in to.parts else {}
        return replace(to, parts={CODE: self.w, **offsets, **origin})

    def styled(self, move: Callable[[Floats], Floats], width: int) -> Codes:
        """Codes of W+ or S as codes of S, with what a move makes of their styles' change.

        Args:
            move: takes [N, 1, S], or [1, 1, S] to a strip.
            width: S.
        """
        before = self.parts.get(STYLES, np.zeros((len(self), width), np.float32))
        styles = move(before[:, None])[:, 0]
        w = np.repeat(self.w, len(styles) // len(self), axis=0)
        return Codes(Space.STYLE, {CODE: w, STYLES: styles})

    def broadcast(self, layers: int) -> Codes:
        """Codes of W as codes of W+, the same for every layer; others stay as they are."""
        if self.space is not Space.W:
            return self
        return Codes.plain(np.repeat(self.w[:, None], layers, axis=1))
