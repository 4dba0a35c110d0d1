"""The sixteen factors a portrait is drawn from, and how they are distributed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

FACTORS: tuple[str, ...] = (
    "yaw",
    "pitch",
    "smile",
    "mouth_open",
    "eye_open",
    "brow",
    "glasses",
    "hair_length",
    "hair_tone",
    "skin",
    "age",
    "width",
    "light",
    "background_hue",
    "background_value",
    "shirt_hue",
)
"""Factor names, in the order of the columns of every factor array."""

AGE_GLASSES_CORRELATION = 0.6
"""Correlation, before the uniform transform, of age and glasses: the old wear stronger glasses.

The literature's own entanglement (InterFaceGAN, section 4.2), put there on purpose so that
conditional edits have something to undo.
"""


def sample_factors(count: int, generator: torch.Generator) -> Tensor:
    """Draw random portraits' factors.

    Every factor is uniform on [-1, 1] and independent of the others, but for glasses, which is
    tied to age by a Gaussian copula.

    Args:
        count: how many portraits.
        generator: the source of randomness; the same seed gives the same factors.

    Returns:
        float32 [count, 16], each value in [-1, 1], columns in the order of `FACTORS`.
    """
    normal = torch.randn(count, len(FACTORS), generator=generator)
    age, glasses = FACTORS.index("age"), FACTORS.index("glasses")
    rho = AGE_GLASSES_CORRELATION
    normal[:, glasses] = rho * normal[:, age] + math.sqrt(1 - rho * rho) * normal[:, glasses]
    return torch.erf(normal / math.sqrt(2))
