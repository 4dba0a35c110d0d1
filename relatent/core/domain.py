"""How plausible an image is: whether it lies where the generator's images do.

An encoder's code w of an image and the encoder's code of the image of w, E(G(w)), agree where encoder and
generator know such images, and do not where they don't. Their distance, the *cycle*, is the root mean square
of w - E(G(w)): two more graph calls, and no refinement. Of genuine images its logarithm is about normal,
which is measured when a pack is made; an image's *score* is the share of genuine images that lie at least as
far out. So whoever refuses scores below 0.01 refuses about one genuine image of a hundred.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-12
"""A cycle below this is taken for this: it has a logarithm."""


@dataclass(frozen=True)
class Domain:
    """Of genuine images.

    Attributes:
        typical_cycle: the median.
        deviation: of the cycle's natural logarithm.
        images: how many it was measured on.
    """

    typical_cycle: float
    deviation: float
    images: int

    def score(self, cycle: float) -> float:
        """The share of genuine images whose cycle is at least this; 0 to 1."""
        away = math.log(max(cycle, _LEAST) / self.typical_cycle) / self.deviation
        return 0.5 * math.erfc(away / math.sqrt(2))


def cycle(code: NDArray[np.float32], again: NDArray[np.float32]) -> float:
    """The distance of a code and that of its image, each float32 [L, D]."""
    return float(np.sqrt(np.mean(np.square(code.astype(np.float64) - again))))


def measured(cycles: NDArray[np.float64]) -> Domain:
    """What genuine images' cycles [N], two or more, tell."""
    logarithms = np.log(np.maximum(cycles, _LEAST))
    return Domain(float(np.exp(np.median(logarithms))), float(logarithms.std(ddof=1)), len(cycles))


def read_domain(table: Mapping[str, Any]) -> Domain:
    """Read the table `domain` of a manifest.

    Raises:
        ValueError, KeyError, TypeError: a field is missing or not what it must be.
    """
    domain = Domain(float(table["typical_cycle"]), float(table["deviation"]), int(table["images"]))
    for name in ("typical_cycle", "deviation"):
        value = getattr(domain, name)
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"domain.{name}: expected a finite number above 0, got {value:g}")
    return domain


def domain_table(domain: Domain) -> dict[str, Any]:
    """The table `domain` of a manifest."""
    return asdict(domain)
