"""Edits confined to where the drawing itself changes: what they leave, and how visible their border is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bench.drawings import HeldOut
from bench.edits import Asked, redrawn
from relatent import AsyncClient, Edit, LatentCode, Operation, Within
from relatent.core.pack import Pack

Bytes = NDArray[np.uint8]
Figures = Callable[[Asked, Bytes, Bytes], dict[str, float]]
ByCallers = Callable[[Callable[[int], Awaitable[Any]], Any], Awaitable[list[Any]]]

COMPACT = ("smile", "mouth_open", "eye_open", "brow", "glasses")
"""Factors that change a small part of a portrait."""
FEATHER = 1.0
"""Pixels, of a portrait's 64."""
_CHANGED, _MARGIN = 8, 5
"""Levels from which a pixel counts as changed; pixels across of what is added around those."""


def compact_edits(pack: Pack, singles: Asked, count: int, seed: int = 73) -> Asked:
    """Some of the edits of compact factors."""
    columns = [pack.attribute_names.index(name) for name in COMPACT]
    places = np.flatnonzero(singles.asked[:, columns].any(1))
    picked = np.random.default_rng(seed).permutation(places)[:count]
    return Asked(singles.drawing[picked], singles.changes[picked])


def masks(drawings: HeldOut, asked: Asked) -> Bytes:
    """White where the drawing redrawn differs, and a little around: uint8 [M, 64, 64]."""
    change = np.abs(redrawn(drawings, asked).astype(int) - drawings.images[asked.drawing]).max(3)
    found = [Image.fromarray(np.where(each >= _CHANGED, 255, 0).astype(np.uint8)) for each in change]
    return np.stack([np.asarray(each.filter(ImageFilter.MaxFilter(_MARGIN))) for each in found])


async def local_figures(
    client: AsyncClient,
    drawings: HeldOut,
    codes: Sequence[LatentCode],
    images: Bytes,
    asked: Asked,
    operations: Callable[[NDArray[Any]], list[Operation]],
    figures: Figures,
    by_callers: ByCallers,
) -> dict[str, Any]:
    """Exact edits of the whole picture, within a sharp mask, and within a soft one.

    Returns:
        `whole`, `sharp` and `feathered`, each with what `figures` makes of its images; the latter two with
        `border_error`, in levels of 255, and `outside`, the most levels by which a pixel outside the mask
        changed; `edits`, how many there were, and `area`, the masks' mean share of the picture.
    """
    drawn = masks(drawings, asked)
    kept = np.flatnonzero(drawn.any((1, 2)))  # of a change that nobody sees there is nothing to confine
    asked, drawn = Asked(asked.drawing[kept], asked.changes[kept]), drawn[kept]
    report: dict[str, Any] = {"edits": len(asked), "area": round(float(drawn.mean()) / 255, 4)}
    for name, feather in (("whole", None), ("sharp", 0.0), ("feathered", FEATHER)):

        async def one(place: int, feather: float | None = feather) -> Edit:
            mask = Image.fromarray(drawn[place])
            within = None if feather is None else Within(mask, feather)
            wanted = operations(asked.changes[place])
            return await client.edit(codes[asked.drawing[place]], wanted, within=within)

        edits = [each.images[0] for each in await by_callers(one, range(len(asked)))]
        made = np.stack([each.image.array for each in edits])
        report[name] = figures(asked, images, made)
        if feather is not None:
            change = np.abs(made.astype(int) - images[asked.drawing]).max(3)
            report[name]["border_error"] = round(
                255 * float(np.mean([each.border_error for each in edits])), 3
            )
            if not feather:
                report[name]["outside"] = int(change[drawn == 0].max())
    return report
