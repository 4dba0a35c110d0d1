"""How an image that is not square becomes one."""

from __future__ import annotations

from enum import StrEnum


class Fit(StrEnum):
    """What to do with an image that is not square."""

    CROP = "crop"
    """Keep the centre square."""
    PAD = "pad"
    """Extend to a square by repeating the border."""
    REFUSE = "refuse"
    """Fail."""
