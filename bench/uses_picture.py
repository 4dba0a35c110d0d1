"""The picture of `bench.restoring`: what is given, the trivial way, the restored image and the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bench import restoring
from bench.drawings import HeldOut
from bench.measurement import BenchSettings
from bench.uses import SEED
from relatent_export.analysis.refining import Bytes
from relatent_export.demo.pictures import save_sheet

SHOWN = 6


def draw_sheet(settings: BenchSettings, path: Path) -> None:
    """Three rows a kind of damage: what is given, the trivial way, restored; the drawings last."""
    drawings = HeldOut.first(SHOWN).images
    damaged = [task(drawings, np.random.default_rng(SEED)) for task in restoring.TASKS.values()]
    rows = []
    for each, found in zip(damaged, restoring.restored(settings, damaged), strict=True):
        images = np.stack([restoration.image.array for restoration in found])
        rows += [_shown(each.images, drawings.shape[1]), each.trivial, images]
    save_sheet([[np.concatenate([*row], axis=1)] for row in [*rows, drawings]], path)


def _shown(images: Bytes, side: int) -> Bytes:
    """Smaller pictures with their pixels as squares."""
    large = [Image.fromarray(each).resize((side, side), Image.Resampling.NEAREST) for each in images]
    return np.stack([np.asarray(each) for each in large])
