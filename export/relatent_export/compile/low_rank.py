"""Preconditioning of large codes: the Gauss-Newton matrix by its largest eigenvectors, never as a matrix.

Jᵀu of independent normal numbers u has the covariance JᵀJ (`relatent_export.compile.preconditioning`). So n
such probes g, at as many codes, are a randomised sketch of the mean matrix C, and the singular vectors and
values of [g₁ … gₙ] / √n estimate its eigenvectors U and the roots of its eigenvalues Λ: the range finder of
Halko, Martinsson and Tropp, "Finding Structure with Randomness" (2011), section 4, on all the Jacobians one
below the other. Probes are folded into so many rows as they come, and what rows drop counts by its size
alone: that of all together, the trace of C, the squares of probes tell.

Outside of U curvature is taken for its mean there, c:

    B = U (Λ + λ)^(-1/2),   s = (c + λ)^(-1/2),   c = (trace C - sum of Λ) / (K - rank)

λ is as in a full measurement, so with K for a rank these are its coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from relatent_export.compile.preconditioning import DAMPING, NOTHING, coordinates, turned
from relatent_export.nets.coordinates import Coordinates

_OVERSAMPLED = 2
"""Rows kept, of those asked for: the last ones of a few hold little of what was seen."""


class Sketch:
    """Probes of a Gauss-Newton matrix of K x K, as rows whose squares add up to theirs.

    Args:
        width: K.
        rank: how many of the largest eigenvectors are wanted, up to K.

    Attributes:
        rows: float32 [R, K]; GᵀG of the probes G, but for what was dropped; R at most four times the rank.
        probes: seen so far.
        squares: sum of the squares of their numbers.
    """

    def __init__(self, width: int, rank: int) -> None:
        self._kept = min(_OVERSAMPLED * rank, width)
        self.rows, self.probes = torch.zeros(0, width), 0
        self.squares = torch.zeros(1, dtype=torch.float64)

    def add(self, probes: Tensor) -> None:
        """See more probes, float32 [N, K]."""
        for some in torch.split(probes, self._kept):
            if len(self.rows) + len(some) > 2 * self._kept:
                values, vectors = _largest(self.rows, self._kept)
                self.rows = (values.sqrt()[:, None] * vectors).float()
            self.rows = torch.cat([self.rows, some])
            self.squares += some.double().square().sum()
            self.probes += len(some)

    def within(self, rank: int) -> float:
        """The share of all curvature that the largest eigenvectors have, 0 to 1."""
        return float(_largest(self.rows, rank)[0].sum() / self.squares)

    def state(self) -> dict[str, Tensor]:
        """All that further probes are added to."""
        return {"rows": self.rows, "squares": self.squares, "probes": torch.tensor([self.probes])}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        self.rows, self.squares = tensors["rows"], tensors["squares"]
        self.probes = int(tensors["probes"])


def low_rank_coordinates(sketch: Sketch, rank: int, damping: float = DAMPING) -> Coordinates:
    """The coordinates of the largest eigenvectors, and of what lies outside of them.

    Args:
        sketch: of probes, of more than `rank` of them.
        rank: how many, up to K.
        damping: λ, of the mean of all eigenvalues; above 0.

    Raises:
        ValueError: the probes are all zero, or not finite.
    """
    if not bool(torch.isfinite(sketch.squares)) or float(sketch.squares) == 0:
        raise ValueError("probes: expected finite numbers, and some that are not zero")
    width = sketch.rows.shape[1]
    values, vectors = _largest(sketch.rows, rank)
    values, trace = values / sketch.probes, float(sketch.squares) / sketch.probes
    if len(values) == width:
        return Coordinates(coordinates(vectors.t() * values @ vectors, damping))
    least = damping * trace / width
    rest = max(trace - float(values.sum()), 0.0) / (width - len(values))
    basis = turned(vectors.t()) * torch.rsqrt(values + least)
    # The steepest direction last, as in a full measurement.
    return Coordinates(basis.flip(1).float().contiguous(), outside=(rest + least) ** -0.5)


def _largest(rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Largest eigenvalues of RᵀR, falling, float64 [C], and their eigenvectors [C, K]; C <= `count`.

    By the smaller of RRᵀ and RᵀR, which have them in common. What is 0 but for rounding is left out.
    """
    double = rows.double()
    few = len(rows) <= rows.shape[1]
    values, vectors = torch.linalg.eigh(double @ double.t() if few else double.t() @ double)
    found = min(count, int((values > NOTHING * values[-1]).sum()))
    values, vectors = values[-found:].flip(0), vectors[:, -found:].flip(1).t()
    if few:
        vectors = torch.nn.functional.normalize(vectors @ double, dim=1)
    return values, vectors
