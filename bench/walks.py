"""Walks that zoom, shift, rotate and tint, linear and not: how near they come, and how far they really go.

Each is trained as `relatent-export directions fit --method walk` trains it. What is measured is of samples
that no training has drawn, moved by shares of the reach that walks are trained for, and by more. `error` is
the mean squared error to the transformed image, where that is known, over that of the image that is not
moved: 1 is no better than to stay. `went` is how far a walk really went: of the transformation's amounts up
to twice its reach, on a grid, the one that makes the image that is not moved most like the walk's, over the
amount that was asked for; 1 is all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.measurement import BenchSettings
from bench.timing import significant
from relatent.core.pack import read_pack
from relatent_export.directions.finders.registry import FINDERS
from relatent_export.directions.transforms import TRANSFORMS, Transform, masked_error
from relatent_export.directions.walks import BATCH, Walk, WalkKind, images_to_compare, train_walk
from relatent_export.nets.networks import AnyGenerator
from relatent_export.packs.weights import load_networks

SHARES = (-2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0)
"""Of the reach that walks are trained for."""
MEASURED, SEED, TRAINING_SEED = 32, 1_000, 0
"""Samples, their seed, and that of training."""
GRID = np.linspace(-2, 2, 81)
"""Amounts that are tried, in shares of the reach."""

Floats = NDArray[np.float64]


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        For each of `transforms` its `unit`, its `reach` and, for each kind of walk, `error` and `went` by the
        share of the reach, means over samples; in `mean` the same over all of them, either way alike.
    """
    folder = settings.packs / settings.pack
    networks = load_networks(folder, read_pack(folder).compare_size)
    generator, quick = networks.generator, settings.quick
    layers, samples = range(generator.config.layers), BATCH if quick else FINDERS["walk"].samples
    codes, images = _unseen(generator, 2 if quick else MEASURED)
    names = list(TRANSFORMS)[:2] if quick else list(TRANSFORMS)
    report: dict[str, Any] = {}
    for transform in (TRANSFORMS[name] for name in names):
        report[transform.name] = {"unit": transform.unit, "reach": transform.reach}
        for kind in WalkKind:
            walk = train_walk(networks, transform, kind, layers, samples, TRAINING_SEED)
            walked = {share: _walked(generator, walk, codes, share * transform.reach) for share in SHARES}
            report[transform.name][str(kind)] = {
                "error": {f"{share:g}": error(transform, share, images, walked[share]) for share in SHARES},
                "went": {f"{share:g}": went(transform, share, images, walked[share]) for share in SHARES},
            }
    return {"transforms": report, "mean": _mean(report), "images": len(images), "samples": samples}


def error(transform: Transform, share: float, images: Tensor, walked: Tensor) -> float:
    """Of walked images, over that of images that stay."""
    wanted = transform.apply(images, torch.full((len(images),), share * transform.reach))
    return significant(float(masked_error(walked, wanted).mean() / masked_error(images, wanted).mean()))


def went(transform: Transform, share: float, images: Tensor, walked: Tensor) -> float:
    """The mean of the amounts that fit walked images best, over the amount that was asked for."""
    errors = []
    for tried in GRID:
        wanted = transform.apply(images, torch.full((len(images),), float(tried) * transform.reach))
        errors.append(masked_error(walked, wanted).numpy())
    best: Floats = GRID[np.argmin(np.stack(errors), axis=0)]
    return significant(float(best.mean()) / share)


@torch.no_grad()
def _unseen(generator: AnyGenerator, count: int) -> tuple[Tensor, Tensor]:
    """Codes that training has not drawn, and their images."""
    random = torch.Generator().manual_seed(SEED)
    codes = generator.codes(torch.randn(count, generator.config.z_width, generator=random), 1.0)
    return codes, images_to_compare(generator, codes)


@torch.no_grad()
def _walked(generator: AnyGenerator, walk: Walk, codes: Tensor, amount: float) -> Tensor:
    return images_to_compare(generator, walk(codes, torch.full((len(codes), 1), amount)))


def _mean(report: Mapping[str, Any]) -> dict[str, Any]:
    """Over all transformations and both ways, for each kind and share."""

    def mean(kind: WalkKind, what: str, share: float) -> float:
        places = [f"{sign * share:g}" for sign in (-1, 1)]
        return significant(
            float(np.mean([each[kind][what][at] for each in report.values() for at in places]))
        )

    return {
        str(kind): {
            what: {f"{share:g}": mean(kind, what, share) for share in SHARES if share > 0}
            for what in ("error", "went")
        }
        for kind in WalkKind
    }
