"""P space: codes of W as they are before the mapping network's last leaky ReLU, of slope 0.2.

    p = w where w is 0 or more, and 5 w where it is less

Zhu et al., "Improved StyleGAN Embedding: Where are the Good Latents?" (2020): there, codes spread about as a
normal distribution does. What a family multiplies activations by changes nothing but the scale. Both ways are
in float64, in which a number that does not move comes back as it was.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SLOPE = 0.2
"""Of every leaky ReLU of the family."""


def to_p(w: NDArray[Any]) -> NDArray[np.float64]:
    """Codes of W or of layers of W+, of any shape, in P."""
    w = np.asarray(w, np.float64)
    return np.where(w >= 0, w, w / SLOPE)


def from_p(p: NDArray[Any]) -> NDArray[np.float32]:
    """The way back."""
    p = np.asarray(p, np.float64)
    return np.where(p >= 0, p, p * SLOPE).astype(np.float32)
