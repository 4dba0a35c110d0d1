"""What `Restore` makes of drawings that something was taken from, through the real service and its Triton.

Every drawing loses three quarters of its rows and columns (`upscale_4`), its colours (`colorize`), a square
of 24 pixels somewhere (`inpaint`), or is given noise of a tenth of the range (`denoise`); none of it by code
of the product's. The presets restore them, by eight callers at a time, and put back what is known but for the
noisy pixels. The trivial way stands beside each: bicubic, the grey picture itself, the mean of what is known,
and the better of median filters of three and five pixels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bench.drawings import HeldOut
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.serving import served
from bench.timing import significant
from relatent import AsyncClient, Degraded, Restoration, RestorationPreset
from relatent.core.quality import decibels
from relatent_export.analysis.editing import Reader
from relatent_export.demo.judge import PERCENT

Bytes = NDArray[np.uint8]

CALLERS = 8
_TIMES, _HOLE, _NOISE = 4, 24, 0.1
_TIMEOUT = 1200.0


@dataclass(frozen=True)
class Damaged:
    """Drawings that something was taken from.

    Attributes:
        preset: what they lack.
        images: uint8 [N, h, w, 3].
        trivial: what the trivial way makes of them, uint8 [N, 64, 64, 3].
        masks: white where they are known, uint8 [N, h, w]; None for everywhere.
        keep_known: whether what is known is put back.
    """

    preset: RestorationPreset
    images: Bytes
    trivial: Bytes
    masks: Bytes | None = None
    keep_known: bool = True


def upscale_4(drawings: Bytes, random: np.random.Generator) -> Damaged:
    """Means of four by four pixels."""
    count, side = drawings.shape[:2]
    small = side // _TIMES
    means = drawings.reshape(count, small, _TIMES, small, _TIMES, 3).mean((2, 4)).round().astype(np.uint8)
    bicubic = [Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC) for each in means]
    return Damaged(RestorationPreset.UPSCALE, means, np.stack([np.asarray(each) for each in bicubic]))


def colorize(drawings: Bytes, random: np.random.Generator) -> Damaged:
    """Grey."""
    grey = np.stack([np.asarray(Image.fromarray(each).convert("L").convert("RGB")) for each in drawings])
    return Damaged(RestorationPreset.COLORIZE, grey, grey)


def inpaint(drawings: Bytes, random: np.random.Generator) -> Damaged:
    """A square somewhere is black."""
    masks = np.full(drawings.shape[:3], 255, np.uint8)
    for mask in masks:
        top, left = random.integers(0, mask.shape[0] - _HOLE + 1, 2)
        mask[top : top + _HOLE, left : left + _HOLE] = 0
    known = masks[..., None] > 0
    means = (drawings * known).sum((1, 2), keepdims=True) / known.sum((1, 2), keepdims=True)
    filled = np.where(known, drawings, means.round().astype(np.uint8))
    return Damaged(RestorationPreset.INPAINT, np.where(known, drawings, 0).astype(np.uint8), filled, masks)


def denoise(drawings: Bytes, random: np.random.Generator) -> Damaged:
    """Noise of independent normal numbers."""
    noisy = (drawings + random.normal(0, 255 * _NOISE, drawings.shape)).clip(0, 255).round().astype(np.uint8)
    filtered = [
        np.stack(
            [np.asarray(Image.fromarray(each).filter(ImageFilter.MedianFilter(width))) for each in noisy]
        )
        for width in (3, 5)
    ]
    better = min(filtered, key=lambda images: float(_squares(images, drawings).mean()))
    return Damaged(RestorationPreset.DENOISE, noisy, better, keep_known=False)


TASKS: Mapping[str, Callable[[Bytes, np.random.Generator], Damaged]] = {
    "upscale_4": upscale_4,
    "colorize": colorize,
    "inpaint": inpaint,
    "denoise": denoise,
}


def restored(settings: BenchSettings, damaged: Sequence[Damaged]) -> list[list[Restoration]]:
    """What the service makes of several kinds of damage."""
    return asyncio.run(_through_the_service(settings, damaged))


def figures(
    graphs: Graphs, judge: Reader, drawings: HeldOut, damaged: Damaged, found: Sequence[Restoration]
) -> dict[str, Any]:
    """How close to the drawings the restored ones are, and the trivial way's beside them.

    Returns:
        `mse`, `perceptual`, `psnr` and `judge_error`, the mean distance of what the judge reads to what was
        drawn in percent of a factor's range; the trivial way's as `baseline_...`; `match_psnr` to what was
        given, `steps`.
    """
    images = np.stack([each.image.array for each in found])
    own, trivial = (_measured(graphs, judge, drawings, made) for made in (images, damaged.trivial))
    return {
        **own,
        **{f"baseline_{name}": value for name, value in trivial.items()},
        "match_psnr": significant(float(np.mean([each.match.psnr for each in found]))),
        "steps": found[0].steps,
    }


def _measured(graphs: Graphs, judge: Reader, drawings: HeldOut, images: Bytes) -> dict[str, float]:
    squares = _squares(images, drawings.images)
    measured = {
        "mse": squares.mean(),
        "perceptual": graphs.compare(images, drawings.images)["perceptual"].mean(),
        "psnr": np.mean([decibels(float(each)) for each in squares]),
        "judge_error": PERCENT * np.abs(judge(images) - drawings.factors).mean(),
    }
    return {name: significant(float(value)) for name, value in measured.items()}


def _squares(images: Bytes, drawings: Bytes) -> NDArray[np.float64]:
    """Mean squared error of each, pixels in [0, 1]."""
    squares: NDArray[np.float64] = np.square((images / 255.0) - (drawings / 255.0)).mean((1, 2, 3))
    return squares


async def _through_the_service(
    settings: BenchSettings, damaged: Sequence[Damaged]
) -> list[list[Restoration]]:
    async with (
        served(settings, max_inflight=2 * CALLERS) as service,
        AsyncClient(service.address, timeout=_TIMEOUT) as client,
    ):
        places = asyncio.Semaphore(CALLERS)

        async def restore(each: Damaged, index: int) -> Restoration:
            mask = None if each.masks is None else np.repeat(each.masks[index][:, :, None], 3, axis=2)
            options: dict[str, Any] = {"steps": 2} if settings.quick else {}
            async with places:
                return await client.restore(
                    each.images[index],
                    each.preset,
                    degraded=Degraded(mask=mask),
                    keep_known=each.keep_known,
                    **options,
                )

        return [
            await asyncio.gather(*(restore(each, index) for index in range(len(each.images))))
            for each in damaged
        ]
