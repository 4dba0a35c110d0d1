"""How the step size changes over a run: factors, by how far the run is (0 to 1)."""

from __future__ import annotations

import math


def warm_up(progress: float, share: float) -> float:
    """From 0 to 1 in a share of the run: Adam would make the first steps too large."""
    return min(1.0, progress / share)


def cosine(progress: float) -> float:
    """Half a cosine, from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def late_decay(progress: float, start: float, lowest: float) -> float:
    """1 up to a share of the run, then linear to `lowest`."""
    return 1.0 if progress < start else 1.0 - (1.0 - lowest) * (progress - start) / (1.0 - start)
