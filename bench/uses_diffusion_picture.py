"""The picture of `bench.uses_diffusion`: contexts, targets, the two stitched, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.measurement import BenchSettings
from bench.uses_diffusion import Pairs, diffused, images
from relatent_export.demo.pictures import save_sheet

SHOWN = 6


def draw_sheet(settings: BenchSettings, path: Path) -> None:
    """The first held-out pairs: a row of contexts, of targets, stitched, the answers, and these blended."""
    pairs = Pairs.first(SHOWN)
    made = [images(answers) for answers in diffused(settings, [(pairs, {}), (pairs, {"blend": True})])]
    rows = [pairs.contexts.images, pairs.targets.images, pairs.stitched, *made]
    save_sheet([[np.concatenate([*row], axis=1)] for row in rows], path)
