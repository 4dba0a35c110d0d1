"""What inversion is for: restorations, diffusion, what a GAN misses, and coordinates for imported packs."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import restoring, uses_coordinates, uses_diffusion, uses_misses
from bench.colours import least_error
from bench.drawings import HeldOut
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.timing import significant
from relatent.core.pack import read_pack
from relatent_export.demo.judge import judge_beside

SEED = 12


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        By each of `bench.restoring.TASKS` its figures, and of `colorize` also `least_mse`, which no answer
        comes below on average (`bench.colours`); `diffusion`, `misses` and `coordinates`, as
        the modules of these names have them.
    """
    drawings = HeldOut.first(4 if settings.quick else 64)
    folder = settings.packs / settings.pack
    graphs = Graphs(read_pack(folder), settings.repository)
    if (judge := judge_beside(folder)) is None:
        raise ValueError(f"{folder}: expected a judge beside the pack: relatent-export demo judge")
    damaged = [task(drawings.images, np.random.default_rng(SEED)) for task in restoring.TASKS.values()]
    found = restoring.restored(settings, damaged)
    figures: dict[str, Any] = {
        name: restoring.figures(graphs, judge, drawings, each, restorations)
        for name, each, restorations in zip(restoring.TASKS, damaged, found, strict=True)
    }
    figures["colorize"]["least_mse"] = significant(least_error(drawings))
    return {
        **figures,
        "diffusion": uses_diffusion.run(settings),
        "misses": uses_misses.run(settings),
        "coordinates": uses_coordinates.run(settings),
        "images": len(drawings.images),
    }
