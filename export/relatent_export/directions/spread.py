"""How far a generator's codes of W spread."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from relatent_export.nets.code_prior import own_codes
from relatent_export.nets.networks import AnyGenerator


@dataclass(frozen=True)
class CodeSpread:
    """Of mapped samples.

    Attributes:
        mean: float32 [D].
        deviation: the root mean square of the standard deviations of a code's numbers.
    """

    mean: Tensor
    deviation: float


def spread_of(generator: AnyGenerator) -> CodeSpread:
    """That of the generator's own codes."""
    codes = own_codes(generator)
    mean = codes.mean(0)
    return CodeSpread(mean, float((codes - mean).square().mean().sqrt()))
