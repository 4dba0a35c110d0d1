"""What an image lacks, in a word; and how it is best restored then.

The weights and starts were chosen on drawings of the demo world, other than those that anything is measured
on (docs/uses.md). What a caller says himself goes before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from relatent.core.methods import StartRule


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
        terms: weights of terms, where they are not the method's own.
        start: where it starts, for packs that can; None: where the method does.
        steps: of refinement; None: as the method has it.
    """

    terms: Mapping[str, float] = field(default_factory=dict)
    start: StartRule | None = None
    steps: int | None = None


DEFAULTS: Mapping[RestorationPreset, RestorationDefaults] = {
    RestorationPreset.COLORIZE: RestorationDefaults(start=StartRule.MEAN),
    RestorationPreset.UPSCALE: RestorationDefaults(),
    RestorationPreset.INPAINT: RestorationDefaults(steps=10),
    RestorationPreset.DENOISE: RestorationDefaults(terms={"perceptual": 0.0}),
}
"""Of each preset."""
