"""The picture of `bench.directions`: the same drawings made younger and older by every finder's direction."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.drawings import HeldOut
from bench.finding import chosen_directions, encoded
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from relatent.core.code_edits import CodeEdit
from relatent.core.codes import Codes
from relatent.core.edits import DirectionMove
from relatent.core.pack import read_pack
from relatent_export.demo.pictures import save_sheet

_SHOWN, _LOOKED_AT, _FACTOR = 2, 32, "age"
_SHARES = (-0.5, -0.25, 0.0, 0.25, 0.5)
"""Of the factor's range."""


def draw_sheet(settings: BenchSettings, path: Path) -> None:
    """A row a finder, in the order of the table; drawings of middle age."""
    pack = read_pack(settings.packs / settings.pack)
    graphs, drawings = Graphs(pack, settings.repository), HeldOut.first(_LOOKED_AT)
    place = pack.attribute_names.index(_FACTOR)
    middle = np.argsort(np.abs(drawings.factors[:, place]))[:_SHOWN]
    codes = encoded(graphs, drawings)[middle]
    rows = []
    for chosen in chosen_directions(settings).values():
        direction = chosen.by_factor[_FACTOR]
        unit = pack.attributes[place].width / direction.calibration if direction.calibration else 0.0
        move = DirectionMove(direction, tuple(share * unit for share in _SHARES))
        moved = [CodeEdit((move,)).apply(Codes.plain(code[None])) for code in codes]
        rows.append([np.concatenate([*graphs.images(each)], axis=1) for each in moved])
    save_sheet(rows, path)
