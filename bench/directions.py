"""Directions by every finder, for five factors of the demo world: how well each tells and moves them.

Each finder runs as `relatent-export directions fit` does, on a copy of the pack. Of those that name nothing
the direction counts whose projection of codes goes with the factor most, over drawings of the sweep set; all
else is of held-out drawings, whose factors are known. `correlation` is of the projection of codes, as they
are in the direction's space, with the factor, over 256; `gain` and `leak` are of edits of 64 by a quarter of
the factor's range, up and down, as strong as the direction's calibration says, read by the pack's network and
by the judge. Learned directions have no projection: `bench walks` and `bench texts` measure them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.drawings import HeldOut
from bench.finding import chosen_directions, correlation, encoded, points_of
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.timing import significant
from relatent.core.codes import Codes
from relatent.core.directions import Direction
from relatent.core.pack import Pack, read_pack
from relatent_export.analysis.editing import SHARE, AskedEdit, Reader, measure_edits
from relatent_export.analysis.evaluation import BATCH, attribute_reader
from relatent_export.demo.judge import judge_beside
from relatent_export.packs.weights import load_networks

Floats = NDArray[np.float32]

CORRELATED, EDITED = 256, 64


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        By finder, the means over the factors of `correlation`, `gain`, `leak`, `judge_gain` and
        `judge_leak`, the `seconds` that finding took, and all but these for each of the `factors`.
    """
    folder = settings.packs / settings.pack
    pack = read_pack(folder)
    if (judge := judge_beside(folder)) is None:
        raise ValueError(f"{folder}: expected a judge beside the pack: relatent-export demo judge")
    graphs, quick = Graphs(pack, settings.repository), settings.quick
    held = HeldOut.first(16 if quick else CORRELATED)
    readers: dict[str, Reader] = {"own": attribute_reader(graphs), "judge": judge}
    generator = load_networks(folder, pack.compare_size).generator
    codes, report = encoded(graphs, held), {}
    for method, chosen in chosen_directions(settings).items():
        figures = {}
        for name, direction in chosen.by_factor.items():
            points = points_of(generator, direction.space, codes)
            factor = held.factors[:, pack.attribute_names.index(name)]
            figures[name] = {
                "correlation": significant(correlation(direction, points, factor)),
                **_edits(pack, graphs, held, codes, direction, readers, 4 if quick else EDITED),
            }
        means = {key: _mean(figures, key) for key in next(iter(figures.values()))}
        report[method] = {**means, "seconds": significant(chosen.seconds), "factors": figures}
    return {**report, "drawings": len(held.images)}


def _edits(
    pack: Pack,
    graphs: Graphs,
    drawings: HeldOut,
    codes: Floats,
    direction: Direction,
    readers: Mapping[str, Reader],
    count: int,
) -> dict[str, float]:
    """What moves by a quarter of the range, up and down, come to where the range leaves room."""
    index = pack.attribute_names.index(direction.attribute)
    ranges, factor = drawings.ranges, drawings.factors[:count, index]
    if direction.calibration == 0:
        return {"gain": 0.0, "leak": 0.0, "judge_gain": 0.0, "judge_leak": 0.0}
    asked = []
    for sign in (-1, 1):
        change = float(sign * SHARE * ranges.width[index])
        places = np.flatnonzero(np.abs(factor + change) <= 1)
        asked.append(AskedEdit(direction, index, change, tuple(map(int, places))))

    def images_of(wanted: Codes) -> NDArray[np.uint8]:
        chunks = [wanted[at : at + BATCH] for at in range(0, len(wanted), BATCH)]
        return np.concatenate([graphs.images(chunk) for chunk in chunks])

    kept = [each for each in asked if each.codes]
    found = measure_edits(Codes.plain(codes[:count]), kept, images_of, readers, ranges)
    return {
        f"{prefix}{what}": significant(getattr(found[name], what))
        for name, prefix in (("own", ""), ("judge", "judge_"))
        for what in ("gain", "leak")
    }


def _mean(figures: Mapping[str, Mapping[str, float]], key: str) -> float:
    return significant(float(np.mean([abs(each[key]) for each in figures.values()])))
