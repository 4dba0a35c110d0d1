"""The coordinates that refinement steps a code in, z and y, where code = start + B z + s (I - UUᵀ) y.

B = U diag(d): orthogonal columns, each as long as a step along it is to be. Where B has fewer columns than a
code has numbers, what lies outside of them is stepped along the code's own numbers, y, all of them scaled by
one number s. Where nothing lies outside, or nothing outside counts, there is no y.

How they are measured: `relatent_export.compile.preconditioning` and `relatent_export.compile.low_rank`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

UNIT, PLAIN_UNIT = 28.0, 2.0
"""`Coordinates.unit` of the demo's, and of any that say nothing of it; and the same where there are none."""


@dataclass(frozen=True)
class Coordinates:
    """The coordinates of a code of K numbers.

    Attributes:
        basis: B, float32 [K, M], M <= K.
        outside: s, above 0; None: what lies outside of B is not stepped.
        unit: what a step of a code's size is worth to variables beside it that are in units of their own
            deviation (`relatent_export.objectives.offsets`): those deviations, over a step.
        axes: U, float32 [K, M], of unit columns.
        lengths: d, float32 [M].
    """

    basis: Tensor
    outside: float | None = None
    unit: float = UNIT
    axes: Tensor = field(init=False, repr=False)
    lengths: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shape = self.basis.shape
        if self.basis.ndim != 2 or not 1 <= shape[1] <= shape[0]:
            raise ValueError(f"basis: expected [K, M], M from 1 to K, got {list(shape)}")
        for name, value in (("outside", self.outside), ("unit", self.unit)):
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name}: expected a number above 0, got {value:g}")
        object.__setattr__(self, "lengths", self.basis.norm(dim=0))
        object.__setattr__(self, "axes", self.basis / self.lengths)

    @property
    def numbers(self) -> int:
        """How many numbers a step is of: M, or M + K."""
        rows, columns = self.basis.shape
        return columns if self.outside is None else columns + rows

    def along(self, gradient: Tensor) -> Tensor:
        """A gradient by codes [..., K] to that by coordinates [..., `numbers`]."""
        if self.outside is None:
            return gradient @ self.basis
        within = gradient @ self.axes
        rest = (gradient - within @ self.axes.t()) * self.outside
        return torch.cat([within * self.lengths, rest], -1)

    def moved(self, move: Tensor) -> Tensor:
        """A move of coordinates [..., `numbers`] as one of codes [..., K]."""
        if self.outside is None:
            return move @ self.basis.t()
        columns = self.basis.shape[1]
        rest = move[..., columns:] * self.outside
        # Both products with Uᵀ in one: what y would move within B is taken out of what z moves.
        within = move[..., :columns] * self.lengths - rest @ self.axes
        return rest + within @ self.axes.t()
