"""What seeds draw: the same on every server of a pack."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def noise(seed: int, width: int) -> Floats:
    """The input of the mapping network for a seed, float32 [width].

    From NumPy's legacy generator, the one whose numbers never change between versions; so a seed means
    the same on every server. Below 2**32 it is what StyleGAN's own scripts draw for that seed; seeds
    from there on use both halves of the number.
    """
    key = seed if seed < 2**32 else [seed & 0xFFFFFFFF, seed >> 32]
    return np.random.RandomState(key).randn(width).astype(np.float32)
