"""What seeds draw: the same on every server of a pack."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_LEAST_SINE = 1e-6
"""Of an angle that is told from none, and from half a turn."""


def noise(seed: int, width: int) -> Floats:
    """The input of the mapping network for a seed, float32 [width].

    From NumPy's legacy generator, the one whose numbers never change between versions; so a seed means
    the same on every server. Below 2**32 it is what StyleGAN's own scripts draw for that seed; seeds
    from there on use both halves of the number.
    """
    key = seed if seed < 2**32 else [seed & 0xFFFFFFFF, seed >> 32]
    return np.random.RandomState(key).randn(width).astype(np.float32)


def spherical_path(first: Floats, last: Floats, amounts: Sequence[float]) -> Floats:
    """Points on the way from one input of the mapping network to another, on the sphere rather than straight.

    sin((1 - t) a) / sin(a) * first + sin(t a) / sin(a) * last, with a the angle between the two ("slerp", as
    White, Sampling Generative Networks, 2016, has it for GANs). Gaussian noise lies near a sphere, inside of
    which the straight way leads, where a generator's images are less varied.

    Args:
        first: float32 [width], where 0 is; given back to the bit.
        last: float32 [width], where 1 is; likewise.
        amounts: how far, 0 to 1.

    Returns:
        float32 [len(amounts), width]. Straight where the two point the same way, or the opposite one.
    """
    a, b = first.astype(np.float64), last.astype(np.float64)
    cosine = float(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))
    angle = math.acos(cosine)
    points = []
    for t in amounts:
        shares = 1 - t, t
        if math.sin(angle) > _LEAST_SINE:
            shares = math.sin(shares[0] * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
        points.append(shares[0] * a + shares[1] * b)
    return np.asarray(points, np.float32)
