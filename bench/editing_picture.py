"""The picture of `bench.editing`: age with glasses held, free, and along a boundary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.drawings import HeldOut
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from relatent.core.codes import Codes
from relatent.core.edits import DirectionMove
from relatent.core.pack import Pack, read_pack
from relatent.core.targets import AttributeTarget, ReadingGoal, Search
from relatent_export.analysis.evaluation import invert
from relatent_export.demo.pictures import save_sheet

_SHOWN, _LOOKED_AT = 6, 32


def draw_sheet(settings: BenchSettings, path: Path) -> None:
    """Young drawings inverted (first row), made old with glasses held, free, and along a boundary."""
    pack = read_pack(settings.packs / settings.pack)
    graphs, drawings = Graphs(pack, settings.repository), HeldOut.first(_LOOKED_AT)
    age, glasses = (pack.attribute_names.index(name) for name in ("age", "glasses"))
    young = np.argsort(drawings.factors[:, age] + drawings.factors[:, glasses])[:_SHOWN]
    steps = 4 if settings.quick else None
    codes = invert(graphs, pack.methods["feature"], drawings.images[young], steps).codes
    others = [place for place in range(len(pack.attributes)) if place != age]
    rows = [graphs.images(codes)]
    for held in (others, [place for place in others if place != glasses]):
        target = AttributeTarget((ReadingGoal(age, (0.8,), relative=False),), tuple(held))
        rows.append(graphs.images(_exactly(pack, graphs, codes, target)))
    boundary = pack.directions["age_boundary"]
    change = 0.8 - _read(graphs, codes)[:, age]
    move = DirectionMove(boundary, tuple(map(float, change / boundary.calibration)))
    rows.append(graphs.images(codes.with_w(move.apply(codes.w))))
    save_sheet([[np.concatenate([*row], axis=1)] for row in rows], path)


def _exactly(pack: Pack, graphs: Graphs, codes: Codes, target: AttributeTarget) -> Codes:
    """Codes moved as the service moves them."""
    assert pack.controls is not None
    search = Search(pack.attributes, pack.controls, target, _read(graphs, codes))
    while (active := np.flatnonzero(search.active)).size:
        search.learn(_read(graphs, codes.at(active).shifted(search.shifts())))
    return codes.shifted(search.best)


def _read(graphs: Graphs, codes: Codes) -> NDArray[np.float32]:
    found: NDArray[np.float32] = graphs.run("attributes", {"image": graphs.images(codes)})["attributes"]
    return found
