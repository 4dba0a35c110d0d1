"""What `Diffuse` makes of pairs of drawings, through the real service and its Triton.

The inner face of one drawing, a fixed ellipse, is put into another. A factor lies inside where it changes
what is in that ellipse (the pose does above all, as it moves eyes, nose and mouth), outside where it changes
none of it, and across where it changes both alike, such as the skin. Distances are of what is read off the
answer to what the two were drawn of, in percent of a factor's range, by the pack's network and by the judge.

Steps and anchor are chosen on other drawings, of `Drawings.SWEEP`: `sweep` has the mean distance, over the
factors inside to the target and over those outside to the context, by each choice. Of those within 2 % of the
least, as the pack's network reads it, that is taken whose region is nearest to the target.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.drawings import HeldOut
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.serving import served
from bench.timing import significant
from relatent import AsyncClient, Diffusion, Within
from relatent.core.pack import read_pack
from relatent_export.analysis.editing import Reader
from relatent_export.analysis.evaluation import attribute_reader
from relatent_export.demo.factors import FACTORS
from relatent_export.demo.judge import PERCENT, judge_beside
from relatent_export.demo.world import Drawings

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

PAIRS, CALLERS = 64, 8
FEATHER = 2.0
"""Of the blended answers, in pixels of a drawing's 64."""
ANCHORS, STEPS = (0.0003, 0.01, 0.03, 0.1), (0, 3, 5, 10, 20)
"""What was to choose from: the method's own weight is the first."""
SIDES: Mapping[str, tuple[str, ...]] = {
    "inside": ("yaw", "pitch", "smile", "mouth_open", "eye_open", "brow", "glasses"),
    "across": ("skin", "age", "width", "light"),
    "outside": ("hair_length", "hair_tone", "background_hue", "background_value", "shirt_hue"),
}
_CENTRE, _HALVES = (0.0, 0.08), (0.40, 0.44)
"""Of the ellipse, in a drawing's coordinates of -1 to 1: x and y."""
_TIMEOUT = 1200.0


@dataclass(frozen=True)
class Pairs:
    """Drawings by twos: targets, and the contexts that their faces are put into."""

    targets: HeldOut
    contexts: HeldOut

    @classmethod
    def first(cls, count: int, which: Drawings = Drawings.HELD_OUT) -> Pairs:
        """The first of a set, the second half of them as contexts."""
        both = HeldOut.first(2 * count, which)
        parts = (HeldOut(both.images[at], both.factors[at]) for at in (slice(count), slice(count, None)))
        return cls(*parts)

    def __len__(self) -> int:
        return len(self.targets.images)

    @property
    def stitched(self) -> Bytes:
        """The two as they are, side by side at the border, uint8 [N, 64, 64, 3]."""
        return np.where(face()[..., None] > 0, self.targets.images, self.contexts.images)


def face(side: int = 64) -> Bytes:
    """White within the ellipse, uint8 [side, side]."""
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = ((axis - centre) / half for centre, half in zip(_CENTRE, _HALVES, strict=True))
    return np.asarray(255 * (x[None] ** 2 + y[:, None] ** 2 <= 1), np.uint8)


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `figures` of the `answer`, of the same `blended`, and of the `stitched` image that nothing is made of;
        of the drawings themselves `read_error`, the mean distance of what is read to what was drawn, and
        `whole_border_error`, of all of a target in its context's place; `sweep`, the number of `pairs`, and
        the `sides` that factors are on.
    """
    folder, quick = settings.packs / settings.pack, settings.quick
    graphs = Graphs(read_pack(folder), settings.repository)
    if (judge := judge_beside(folder)) is None:
        raise ValueError(f"{folder}: expected a judge beside the pack: relatent-export demo judge")
    readers = {"": attribute_reader(graphs), "judge_": judge}
    pairs, others = (
        Pairs.first(2 if quick else PAIRS, which) for which in (Drawings.HELD_OUT, Drawings.SWEEP)
    )
    choices = [(anchor, steps) for anchor in ANCHORS for steps in STEPS][: 1 if quick else None]
    tried = [{"steps": steps, "weights": {"anchor": anchor}} for anchor, steps in choices]
    asked: list[tuple[Pairs, Mapping[str, Any]]] = [(pairs, {}), (pairs, {"blend": True})]
    answers, blended, *found = diffused(settings, [*asked, *((others, way) for way in tried)])
    stitched = [each.stitched_border_error for each in answers]
    return {
        "answer": figures(readers, pairs, images(answers), _border_errors(answers)),
        "blended": figures(readers, pairs, images(blended), _border_errors(blended)),
        "stitched": figures(readers, pairs, pairs.stitched, stitched),
        "whole_border_error": significant(255 * _whole_border_error(pairs)),
        "read_error": {
            f"{name}error": significant(PERCENT * float(np.abs(_misread(reader, pairs)).mean()))
            for name, reader in readers.items()
        },
        "sides": {name: side for side, names in SIDES.items() for name in names},
        "steps": answers[0].inversion.steps,
        "pairs": len(pairs),
        "sweep": [
            {"anchor": anchor, "steps": steps, **_chosen(readers, others, each)}
            for (anchor, steps), each in zip(choices, found, strict=True)
        ],
    }


def figures(
    readers: Mapping[str, Reader], pairs: Pairs, made: Bytes, border_errors: Sequence[float]
) -> dict[str, Any]:
    """What became of pairs.

    Returns:
        By each side of `SIDES`, and by each of `factors`: `to_target` and `to_context`, the mean distances,
        and the same with `judge_` before them; `region_mse` to the target in the ellipse, `context_mse` to
        the context outside it, and the `border_error` in levels of 255.
    """
    distances = {}
    for name, reader in readers.items():
        read = reader(made)
        for end, drawn in (("target", pairs.targets), ("context", pairs.contexts)):
            distances[f"{name}to_{end}"] = PERCENT * np.abs(read - drawn.factors).mean(0)

    def means(names: Sequence[str]) -> dict[str, float]:
        places = [FACTORS.index(each) for each in names]
        return {name: significant(float(found[places].mean())) for name, found in distances.items()}

    inside = face() > 0
    return {
        **{side: means(names) for side, names in SIDES.items()},
        "factors": {name: means([name]) for name in FACTORS},
        "region_mse": significant(_squares(made, pairs.targets.images, inside)),
        "context_mse": significant(_squares(made, pairs.contexts.images, ~inside)),
        "border_error": significant(255 * float(np.mean(border_errors))),
    }


def images(answers: Sequence[Diffusion]) -> Bytes:
    """The images of diffusions, uint8 [N, 64, 64, 3]."""
    return np.stack([each.image.array for each in answers])


def diffused(
    settings: BenchSettings, ways: Sequence[tuple[Pairs, Mapping[str, Any]]]
) -> list[list[Diffusion]]:
    """What the service makes of pairs, each time by some options of `Client.diffuse`."""
    return asyncio.run(_through_the_service(settings, ways))


async def _through_the_service(
    settings: BenchSettings, ways: Sequence[tuple[Pairs, Mapping[str, Any]]]
) -> list[list[Diffusion]]:
    within = Within(np.repeat(face()[..., None], 3, axis=2), FEATHER)
    async with (
        served(settings, max_inflight=2 * CALLERS) as service,
        AsyncClient(service.address, timeout=_TIMEOUT) as client,
    ):
        places = asyncio.Semaphore(CALLERS)

        async def diffuse(target: Bytes, context: Bytes, way: Mapping[str, Any]) -> Diffusion:
            async with places:
                return await client.diffuse(target, within, context, **way)

        return [
            await asyncio.gather(
                *(
                    diffuse(target, context, way)
                    for target, context in zip(pairs.targets.images, pairs.contexts.images, strict=True)
                )
            )
            for pairs, way in ways
        ]


def _border_errors(answers: Sequence[Diffusion]) -> list[float]:
    return [each.border_error for each in answers]


def _misread(reader: Reader, pairs: Pairs) -> Floats:
    return reader(pairs.targets.images) - pairs.targets.factors


def _chosen(readers: Mapping[str, Reader], pairs: Pairs, answers: Sequence[Diffusion]) -> dict[str, float]:
    """What a choice of anchor and steps comes to."""
    found = figures(readers, pairs, images(answers), _border_errors(answers))
    return {
        **{f"{name}distance": significant(_distance(found["factors"], name)) for name in readers},
        **{name: found[name] for name in ("region_mse", "context_mse", "border_error")},
    }


def _distance(factors: Mapping[str, Mapping[str, float]], reader: str) -> float:
    """Mean over the factors inside, to the target, and outside, to the context."""
    to_target = [factors[name][f"{reader}to_target"] for name in SIDES["inside"]]
    to_context = [factors[name][f"{reader}to_context"] for name in SIDES["outside"]]
    return float(np.mean(to_target + to_context))


def _whole_border_error(pairs: Pairs) -> float:
    """By how much the change from contexts to their targets jumps where the ellipse ends."""
    change = (pairs.targets.images.astype(np.float32) - pairs.contexts.images) / 255
    total, weight = 0.0, 0.0
    for axis in (0, 1):
        border = np.diff(face().astype(int), axis=axis) != 0
        jumps = np.abs(np.diff(change, axis=axis + 1)).mean((0, 3))
        total, weight = total + float(jumps[border].sum()), weight + float(border.sum())
    return total / weight


def _squares(made: Bytes, given: Bytes, where: NDArray[np.bool_]) -> float:
    """Mean squared error of pixels in [0, 1], in a part of the picture."""
    return float(np.square((made.astype(np.float32) - given) / 255)[:, where].mean())
