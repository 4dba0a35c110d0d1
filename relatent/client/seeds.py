"""What samples are drawn from, other than seeds one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relatent.v1 import synthesis_pb2


@dataclass(frozen=True)
class SeedPath:
    """Points on the way from what one seed draws to what another does, spherically, one image each.

    Attributes:
        first: the seed where it begins.
        last: the seed where it ends.
        amounts: the points, 0 to 1.
    """

    first: int
    last: int
    amounts: Sequence[float]

    @property
    def ends(self) -> tuple[int, int]:
        """Both seeds."""
        return self.first, self.last

    def message(self) -> synthesis_pb2.SeedPath:
        """The contract's message."""
        return synthesis_pb2.SeedPath(first=self.first, last=self.last, amounts=self.amounts)
