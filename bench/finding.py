"""What every finder finds in the demo pack, and which of it is each factor's direction."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.drawings import HeldOut
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.timing import seconds
from relatent.core.directions import Direction
from relatent.core.p_space import to_p
from relatent.core.pack import read_pack
from relatent.core.spaces import Space
from relatent_export.analysis.evaluation import BATCH
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
LOOKED_AT = 256
"""Drawings of the sweep set that tell which of a finder's directions is a factor's."""


@dataclass(frozen=True)
class ChosenDirections:
    """Of one finder.

    Attributes:
        by_factor: calibrated for the factor.
        seconds: that finding took.
    """

    by_factor: Mapping[str, Direction]
    seconds: float


@cache
def chosen_directions(settings: BenchSettings) -> Mapping[str, ChosenDirections]:
    """By finder; once a process, as it takes minutes."""
    folder = settings.packs / settings.pack
    pack = read_pack(folder)
    networks = load_networks(folder, pack.compare_size)
    swept = HeldOut.first(16 if settings.quick else LOOKED_AT, Drawings.SWEEP)
    codes, chosen = encoded(Graphs(pack, settings.repository), swept), {}
    for method, wanted in _wanted(settings.quick, settings).items():
        found, taken = _found(folder, wanted)
        points = points_of(networks.generator, found[0].space, codes)
        ruler, by_factor = ruler_of(networks, pack.attributes, found[0].space), {}
        for name in FACTORS:
            factor = swept.factors[:, pack.attribute_names.index(name)]
            own = [each for each in found if each.attribute == name and method in NAMED]
            by_factor[name] = ruler.measured(own[0] if own else choose(found, name, points, factor))
        chosen[method] = ChosenDirections(by_factor, taken)
    return chosen


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
    return np.asarray(to_p(codes), np.float32) if space is Space.P else codes


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
