"""Edits as plain values, and their arithmetic: pure functions over float32 codes [N, L, D], N at a time.

In Z, codes are [N, 1, Z]; along directions of P, codes are moved there and come back. What strengths mean is
`relatent.core.directions`'s to say. Coarse layers come first. How codes with more parts are edited,
`relatent.core.code_edits` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.directions import Direction
from relatent.core.p_space import from_p, to_p
from relatent.core.spaces import Space

Floats = NDArray[np.float32]

PUBLISHED_THRESHOLD = 1.0
"""Of a channel's L2 norm in an expression transfer (Abdal et al., 2019)."""
NOTHING_LEFT = 1e-4
"""A unit vector whose part outside the conditions' span is shorter than this lies within it."""


@dataclass(frozen=True)
class DirectionMove:
    """Move codes along a direction.

    Attributes:
        direction: which.
        strengths: how far, one for each code; or several for one code, which make a strip.
        layers: first and last to move, both included; None: the direction's own.
        absolute: whether strengths are signed distances to the direction's boundary, to arrive at.
        conditions: directions whose boundaries the codes move along, so that what they tell stays; of P if
            the direction is, and else not.
    """

    direction: Direction
    strengths: tuple[float, ...]
    layers: tuple[int, int] | None = None
    absolute: bool = False
    conditions: tuple[Direction, ...] = ()

    @property
    def strip(self) -> tuple[float, ...]:
        """The numbers that may be several."""
        return self.strengths

    @property
    def span(self) -> slice:
        """The layers to move, as a slice of a code's array."""
        first, last = self.layers or (self.direction.first_layer, self.direction.last_layer)
        return slice(first, last + 1)

    @cached_property
    def normals(self) -> Floats:
        """Where to go in each layer, [L, D], of unit norm or zero: the direction less its conditions."""
        if not self.conditions:
            return self.direction.vector
        return orthogonalise(self.direction.vector, [other.vector for other in self.conditions])

    @property
    def moves(self) -> bool:
        """Whether it moves anything in its layers, with a strength that is not zero."""
        return bool(self._unit[self.span].any())

    @property
    def _unit(self) -> Floats:
        """Where one unit of strength goes, [L, D]: along the direction's own normal as far as ever.

        Along a normal n made orthogonal to others the way is longer, by 1 / <n, own>, so that a strength
        means what the direction's calibration says.
        """
        lengths = np.array(self.direction.lengths, np.float32)
        return (lengths / self._gains)[:, None] * self.normals

    @property
    def _gains(self) -> Floats:
        """How far one unit along `normals` goes along the direction's own, [L]; 1 where there is no way."""
        gains = np.einsum("ld,ld->l", self.normals, self.direction.vector)
        return np.asarray(np.where(np.abs(gains) > NOTHING_LEFT, gains, 1), np.float32)

    def apply(self, codes: Floats) -> Floats:
        """Codes [N, L, D] to [N, L, D], or one code to [S, L, D], one for each strength."""
        strengths = np.array(self.strengths, np.float32)
        result = np.repeat(codes, len(strengths), axis=0) if len(codes) == 1 else codes.copy()
        if self.direction.space is Space.P:
            moved = to_p(result[:, self.span])
            result[:, self.span] = from_p(moved + self._ways(moved, strengths))
        else:
            result[:, self.span] += self._ways(result[:, self.span], strengths)
        return result

    def _ways(self, layers: NDArray[Any], strengths: Floats) -> Floats:
        """What is added to the layers that move, [N, l, D], by each strength."""
        if self.absolute:
            return self._ways_to_boundary(layers, strengths)
        return strengths[:, None, None] * self._unit[self.span]

    def _ways_to_boundary(self, layers: NDArray[Any], strengths: Floats) -> Floats:
        """The way of each code to its distance from the boundary.

        Along the direction's own normal n the way is strength * length - (<w, n> + b); along one made
        orthogonal to others it is longer, by 1 / <normal, n>.
        """
        own, along = self.direction.vector[self.span], self.normals[self.span]
        lengths = np.array(self.direction.lengths, np.float32)[self.span]
        distance = np.einsum("nld,ld->nl", layers, own) + self.direction.bias
        gain = np.einsum("ld,ld->l", along, own)
        moving = (np.abs(gain) > NOTHING_LEFT) & (lengths > 0)
        wanted = strengths[:, None] * lengths
        way = np.where(moving, (wanted - distance) / np.where(moving, gain, 1), 0)
        return np.asarray(way[:, :, None] * along, np.float32)


@dataclass(frozen=True)
class LearnedMove:
    """Move codes along a learned direction.

    Attributes:
        direction: which.
        strengths: how far, one for each code; or several for one code, which make a strip.
    """

    direction: Direction
    strengths: tuple[float, ...]

    @property
    def strip(self) -> tuple[float, ...]:
        """The numbers that may be several."""
        return self.strengths


@dataclass(frozen=True)
class StyleMix:
    """Replace layers of codes by those of another.

    Attributes:
        other: float32 [L, D].
        layers: first and last to replace, both included.
    """

    other: Floats
    layers: tuple[int, int]
    strip: tuple[float, ...] = ()

    def apply(self, codes: Floats) -> Floats:
        """Codes [N, L, D] to [N, L, D]."""
        result, span = codes.copy(), slice(self.layers[0], self.layers[1] + 1)
        result[:, span] = self.other[span]
        return result


@dataclass(frozen=True)
class Truncation:
    """Pull codes towards the mean latent: mean + psi * (w - mean).

    Attributes:
        mean: float32 [L, D].
        psi: 1 leaves codes as they are, 0 gives the mean.
    """

    mean: Floats
    psi: float
    strip: tuple[float, ...] = ()

    def apply(self, codes: Floats) -> Floats:
        """Codes [N, L, D] to [N, L, D]."""
        return np.asarray(self.mean + np.float32(self.psi) * (codes - self.mean), np.float32)


@dataclass(frozen=True)
class ExpressionTransfer:
    """Add the difference of two other codes: w + amount * (target - source).

    Image2StyleGAN's expression transfer (Abdal et al., 2019, w1 + lambda (w3 - w2)): against noise, it takes
    channels of the difference for zero whose L2 norm is below a threshold, 1 as published. A channel is read
    here as one of a code's D numbers over all L layers.

    Attributes:
        source: w2, float32 [L, D], such as a neutral face.
        target: w3, float32 [L, D], such as the same face with an expression.
        amounts: lambda; one for each code, or several for one code, which make a strip.
        threshold: at least 0; at 0 the whole difference counts.
    """

    source: Floats
    target: Floats
    amounts: tuple[float, ...]
    threshold: float = PUBLISHED_THRESHOLD

    @property
    def strip(self) -> tuple[float, ...]:
        """The numbers that may be several."""
        return self.amounts

    @cached_property
    def difference(self) -> Floats:
        """What amount 1 adds, float32 [L, D]."""
        whole = self.target - self.source
        counts = np.linalg.norm(whole, axis=0) >= self.threshold
        return np.asarray(np.where(counts, whole, 0), np.float32)

    def apply(self, codes: Floats) -> Floats:
        """Codes [N, L, D] to [N, L, D], or one code to [S, L, D], one for each amount."""
        amounts = np.array(self.amounts, np.float32)
        return np.asarray(codes + amounts[:, None, None] * self.difference, np.float32)


def orthogonalise(direction: Floats, conditions: Sequence[Floats]) -> Floats:
    """Make a direction orthogonal to others, layer by layer, by least squares.

    Takes away from each layer's normal its component in the span of the conditions' own there, and scales
    what is left to unit norm again: InterFaceGAN's conditional boundaries (Shen et al., 2020), for any number
    of conditions.

    Args:
        direction: float32 [L, D], each layer's of unit norm or zero.
        conditions: any number of others, likewise; they need not be orthogonal to each other.

    Returns:
        float32 [L, D]; zero where nothing is left.
    """
    result = np.zeros_like(direction)
    for layer, normal in enumerate(direction):
        basis = np.stack([condition[layer] for condition in conditions], axis=1).astype(np.float64)
        coefficients = np.linalg.lstsq(basis, normal.astype(np.float64), rcond=NOTHING_LEFT)[0]
        rest = normal - basis @ coefficients
        norm = np.linalg.norm(rest)
        if norm > NOTHING_LEFT:
            result[layer] = rest / norm
    return result
