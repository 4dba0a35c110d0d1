"""Where sets of images lie in an attribute, and what of one's range the other leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]

_OUTERMOST = (0.5, 99.5)
_PARTS, _RARE = 20, 0.1
_BARS = 40
_ROUNDS = 1_000


@dataclass(frozen=True)
class AttributeSpread:
    """Where one set of images lies in an attribute, in its unit.

    Attributes:
        mean: of the images.
        deviation: their standard deviation.
        low, high: all but the outermost hundredth lie between.
    """

    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Doubles) -> AttributeSpread:
        """That of values [N]."""
        low, high = np.percentile(values, _OUTERMOST)
        return cls(float(values.mean()), float(values.std()), float(low), float(high))


@dataclass(frozen=True)
class Histogram:
    """Shares of both sides' images over the range of the two together; the outermost are in the last bars.

    Attributes:
        edges: of the bars, one more than there are.
        real, generated: the share of images in each bar.
    """

    edges: tuple[float, ...]
    real: tuple[float, ...]
    generated: tuple[float, ...]

    @classmethod
    def of(cls, real: Doubles, generated: Doubles) -> Histogram:
        """That of values [N] and [M]."""
        sides = AttributeSpread.of(real), AttributeSpread.of(generated)
        low, high = min(each.low for each in sides), max(each.high for each in sides)
        if not np.nextafter(low, np.inf) < high:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, _BARS + 1)
        shares = (np.histogram(each.clip(low, high), edges)[0] / len(each) for each in (real, generated))
        return cls(tuple(map(float, edges)), *(tuple(map(float, each)) for each in shares))


@dataclass(frozen=True)
class Parts:
    """The real images' range in twenty equal parts, and which of them a generator leaves out.

    Attributes:
        edges: of the parts, [P + 1].
        real, generated: how many images of each side lie in each part, [P].
        counts: how many there are of each side, those beyond the range among them.
    """

    edges: Doubles
    real: Counts
    generated: Counts
    counts: tuple[int, int]

    @classmethod
    def of(cls, real: Doubles, generated: Doubles) -> Parts:
        """Without a part where hardly any real image differs from the others."""
        low, high = np.percentile(real, _OUTERMOST)
        edges = np.linspace(low, high, _PARTS + 1)
        if not (np.diff(edges) > 0).all():
            edges = edges[:1]
            return cls(edges, np.zeros(0, int), np.zeros(0, int), (len(real), len(generated)))
        ours, theirs = (np.histogram(each, edges)[0] for each in (real, generated))
        return cls(edges, ours, theirs, (len(real), len(generated)))

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Which parts the generator leaves out, [..., P]."""
        shares = self.real / self.counts[0], self.generated / self.counts[1]
        left: NDArray[np.bool_] = (shares[0] > 0) & (shares[1] < _RARE * shares[0])
        return left

    @property
    def left_out(self) -> Doubles:
        """Share of the parts with real images that the generator leaves out, [...]."""
        shares: Doubles = self.empty.sum(-1) / np.maximum((self.real > 0).sum(-1), 1)
        return shares

    def error(self, random: np.random.Generator) -> float:
        """The standard error of `left_out`: its deviation over sets of images drawn anew."""
        if not len(self.real):
            return 0.0
        ours, theirs = (
            random.multinomial(count, np.array([*inside, count - inside.sum()]) / count, _ROUNDS)[:, :-1]
            for inside, count in zip((self.real, self.generated), self.counts, strict=True)
        )
        return float(Parts(self.edges, ours, theirs, self.counts).left_out.std())

    def gaps(self) -> tuple[tuple[float, float], ...]:
        """The parts that are left out, joined where they touch."""
        found: list[tuple[float, float]] = []
        for place in map(int, np.flatnonzero(self.empty)):
            low, high = float(self.edges[place]), float(self.edges[place + 1])
            if found and found[-1][1] == low:
                low = found.pop()[0]
            found.append((low, high))
        return tuple(found)
