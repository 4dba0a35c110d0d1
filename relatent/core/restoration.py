"""What an image lacks, in a word; and how it is best restored then.

The weights and steps were chosen on drawings of the demo world, other than those that anything is measured
on (docs/uses.md). What a caller says himself goes before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RestorationPreset(StrEnum):
    """What an image lacks."""

    COLORIZE = "colorize"
    """Its colours: it is grey."""
    UPSCALE = "upscale"
    """Its resolution."""
    INPAINT = "inpaint"
    """A part of it."""
    DENOISE = "denoise"
    """Pixels without noise."""


@dataclass(frozen=True)
class RestorationDefaults:
    """What a preset means for a refinement.

    Attributes:
        steps: of refinement.
        terms: weights of terms, where they are not the method's own.
    """

    steps: int
    terms: Mapping[str, float] = field(default_factory=dict)


DEFAULTS: Mapping[RestorationPreset, RestorationDefaults] = {
    RestorationPreset.COLORIZE: RestorationDefaults(50, {"anchor": 0.01}),
    # What is left of the resolution holds the rest well enough.
    RestorationPreset.UPSCALE: RestorationDefaults(100, {"anchor": 0.01, "prior": 0.0}),
    # Nothing holds what is missing but the prior.
    RestorationPreset.INPAINT: RestorationDefaults(60, {"prior": 0.03}),
    # Features see noise as detail; and later steps would fit it.
    RestorationPreset.DENOISE: RestorationDefaults(50, {"perceptual": 0.0, "prior": 0.0}),
}
"""Of each preset."""
