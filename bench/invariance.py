"""Does an inversion depend on what it shares its batches with?

Each image is refined alone, and again at a random place in a batch of eight whose other images are
random and start somewhere else. What counts is the result of an inversion, the best code after 100
steps: the largest difference of any of its values, over the code's largest value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.graphs import Array, Graphs, targets
from bench.measurement import BenchSettings
from bench.timing import significant, spread
from relatent.core.methods import StartRule
from relatent.core.pack import read_pack
from relatent_export.analysis.refining import ExportedRefinement

BATCH = 8
SEED = 7


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `max_relative_difference`, over all images, and what it was taken over.
    """
    images, steps = (2, 20) if settings.quick else (16, 100)
    pack = read_pack(settings.packs / settings.pack)
    graphs = Graphs(pack, settings.repository)
    drawings = targets(graphs, images + 4 * BATCH)
    codes = graphs.encode(drawings)
    random = np.random.default_rng(SEED)
    differences = []
    for index in range(images):
        alone = _refined(graphs, drawings[[index]], codes[[index]], steps)[0]
        mates = random.choice(np.arange(images, len(drawings)), BATCH, replace=False)
        place = int(random.integers(BATCH))
        members = np.where(np.arange(BATCH) == place, index, mates)
        starts = codes[members] + _elsewhere(random, codes[members].shape, place)
        among = _refined(graphs, drawings[members], starts, steps)[place]
        differences.append(float(np.abs(alone - among).max() / np.abs(alone).max()))
    return {
        "max_relative_difference": significant(max(differences)),
        "relative_difference": spread(differences).as_json(),
        "images": images,
        "steps": steps,
        "batch": BATCH,
    }


def _refined(graphs: Graphs, drawings: Array, codes: Array, steps: int) -> Array:
    refinement = ExportedRefinement(
        graphs, codes, drawings, graphs.pack.default_method.rates[StartRule.ENCODER]
    )
    refinement.advance(steps)
    return refinement.codes


def _elsewhere(random: np.random.Generator, shape: tuple[int, ...], place: int) -> Array:
    """Offsets that move every start but the one at `place`."""
    offsets = random.normal(scale=0.1, size=shape).astype(np.float32)
    offsets[place] = 0
    return offsets
