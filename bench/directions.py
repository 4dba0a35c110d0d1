"""Directions by every finder, for five factors of the demo world: how well each tells and moves them.

Each finder runs as `relatent-export directions fit` does, on a copy of the pack. Of those that name nothing
the direction counts whose projection of codes goes with the factor most, over drawings of the sweep set; all
else is of held-out drawings, whose factors are known. `correlation` is of the projection of codes, as they
are in the direction's space, with the factor, over 256; `gain` and `leak` are of edits of 64 by a quarter of
the factor's range, up and down, as strong as the direction's calibration says, read by the pack's network and
by the judge. Learned directions have no projection: `bench walks` and `bench texts` measure them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.drawings import HeldOut
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.timing import seconds, significant
from relatent.core.codes import Codes
from relatent.core.directions import Direction
from relatent.core.pack import Pack, read_pack
from relatent.core.spaces import Space
from relatent_export.analysis.editing import SHARE, AskedEdit, Reader, measure_edits
from relatent_export.analysis.evaluation import BATCH, attribute_reader
from relatent_export.demo.judge import judge_beside
from relatent_export.demo.world import Drawings
from relatent_export.directions.wanted import COUNT, Wanted
from relatent_export.nets.networks import AnyGenerator
from relatent_export.nets.styles import StyleSynthesis
from relatent_export.packs.fitting import fit_into, ruler_of
from relatent_export.packs.weights import load_networks

Floats = NDArray[np.float32]

FACTORS = ("yaw", "smile", "age", "glasses", "hair_length")
TEXTS = {
    "yaw": "a person looking to the left",
    "smile": "a smiling person",
    "age": "an old person",
    "glasses": "a person wearing glasses",
    "hair_length": "a person with long hair",
}
COMPONENTS = 32
"""Directions of finders that name none, to choose among."""
NAMED = ("boundary", "jacobian", "style_space", "text")
"""Finders whose directions are each for an attribute, or for a text that is."""
CORRELATED, EDITED = 256, 64


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        For each finder the means over the factors of `correlation`, `gain`, `leak`, `judge_gain` and
        `judge_leak`, the `seconds` that finding took, and all but these for each of the `factors`.
    """
    folder = settings.packs / settings.pack
    pack = read_pack(folder)
    if (judge := judge_beside(folder)) is None:
        raise ValueError(f"{folder}: expected a judge beside the pack: relatent-export demo judge")
    graphs, quick = Graphs(pack, settings.repository), settings.quick
    count = 16 if quick else CORRELATED
    swept, held = HeldOut.first(count, Drawings.SWEEP), HeldOut.first(count)
    readers: dict[str, Reader] = {"own": attribute_reader(graphs), "judge": judge}
    networks = load_networks(folder, pack.compare_size)
    report: dict[str, Any] = {}
    codes, points = encoded(graphs, held), {}
    for method, wanted in _wanted(quick, settings).items():
        found, taken = _found(folder, wanted)
        space = found[0].space
        if space not in points:
            points[space] = [
                points_of(networks.generator, space, each) for each in (encoded(graphs, swept), codes)
            ]
        ruler = ruler_of(networks, pack.attributes, space)
        figures = {}
        for name in FACTORS:
            place = pack.attribute_names.index(name)
            own = [each for each in found if each.attribute == name and method in NAMED]
            chosen = own[0] if own else choose(found, name, points[space][0], swept.factors[:, place])
            direction = ruler.measured(chosen)
            figures[name] = {
                "correlation": significant(correlation(direction, points[space][1], held.factors[:, place])),
                **_edits(pack, graphs, held, codes, direction, readers, 4 if quick else EDITED),
            }
        means = {key: _mean(figures, key) for key in next(iter(figures.values()))}
        report[method] = {**means, "seconds": significant(taken), "factors": figures}
    return {"finders": report, "drawings": count}


def _wanted(quick: bool, settings: BenchSettings) -> dict[str, list[Wanted]]:
    """What each finder is asked for."""
    drawing = settings.packs / settings.pack / "drawings" / "portrait-00.png"
    several = 2 if quick else COMPONENTS
    asked = [
        Wanted("boundary", samples=200 if quick else None),
        Wanted("jacobian"),
        Wanted("pca", samples=1_000 if quick else None, count=several),
        Wanted("closed_form", count=several),
        Wanted("style_space", samples=40 if quick else None),
        Wanted("walk", samples=4 if quick else None),
        Wanted("discover", samples=16 if quick else None, count=2 if quick else COUNT),
        Wanted("orthogonal_jacobian", count=several, image=drawing),
    ]
    texts = [Wanted("text", prompt=text) for text in TEXTS.values()]
    return {**{each.method: [each] for each in asked}, "text": texts}


@torch.no_grad()
def points_of(generator: AnyGenerator, space: Space, codes: Floats) -> Floats:
    """Codes of W+ as they are in a direction's space."""
    if space is Space.STYLE:
        styles: Floats = StyleSynthesis(generator).styles(torch.from_numpy(codes))[:, None].numpy()
        return styles
    return codes


def encoded(graphs: Graphs, drawings: HeldOut) -> Floats:
    """The encoder's codes of drawings, [N, L, D]."""
    images = drawings.images
    return np.concatenate([graphs.encode(images[at : at + BATCH]) for at in range(0, len(images), BATCH)])


def projections(direction: Direction, codes: Floats) -> NDArray[np.float64]:
    """How far codes lie along a direction, over the layers that it moves, [N]."""
    layers = slice(direction.first_layer, direction.last_layer + 1)
    steps = direction.vector.astype(np.float64) * np.array(direction.lengths)[:, None]
    found: NDArray[np.float64] = (codes[:, layers] * steps[layers]).sum((1, 2))
    return found


def correlation(direction: Direction, codes: Floats, factor: Floats) -> float:
    """Of codes' projections with what the drawings were drawn with."""
    return float(np.corrcoef(projections(direction, codes), factor)[0, 1])


def choose(found: list[Direction], name: str, codes: Floats, factor: Floats) -> Direction:
    """Of some directions the one that goes with a factor most, turned its way."""
    best = max(found, key=lambda direction: abs(correlation(direction, codes, factor)))
    sign = np.sign(correlation(best, codes, factor))
    vector = np.asarray(best.vector * sign, np.float32)
    return replace(best, attribute=name, vector=vector, calibration=0.0)


def _found(folder: Path, wanted: list[Wanted]) -> tuple[list[Direction], float]:
    """What a finder finds for a copy of a pack, and the seconds that it takes."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(shutil.copytree(folder, Path(place) / folder.name))
        found: list[Direction] = []

        def find() -> None:
            for each in wanted:
                found.extend(fit_into(copy, each))

        taken = seconds(find)
    return found, taken


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
