"""Restorations: what was done to an image, and messages made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import index

import numpy as np

from relatent.client.errors import InputError
from relatent.client.images import ImageInput, Picture, image_message
from relatent.client.latents import LatentCode
from relatent.client.requests import InvertOptions, inversion_options
from relatent.client.results import Timings
from relatent.core.restoration import RestorationPreset
from relatent.core.stopping import StopReason
from relatent.v1 import restoration_pb2

_PRESETS = {
    RestorationPreset.COLORIZE: restoration_pb2.RESTORATION_PRESET_COLORIZE,
    RestorationPreset.UPSCALE: restoration_pb2.RESTORATION_PRESET_UPSCALE,
    RestorationPreset.INPAINT: restoration_pb2.RESTORATION_PRESET_INPAINT,
    RestorationPreset.DENOISE: restoration_pb2.RESTORATION_PRESET_DENOISE,
}


@dataclass(frozen=True)
class Degraded:
    """What was done to the whole image to give the one at hand, in this order; all of it may be left out.

    Attributes:
        blur: standard deviation of a Gaussian blur, in pixels of the whole image.
        fewer: how many times fewer rows and columns there are, 1 to 16: one number, or one for each.
        colour: three rows of three numbers, one for each of the image's red, green and blue, that say what
            they were mixed of; three equal rows make grey.
        mask: where the image is known: white where it is, black where not. Same proportions as the image.
    """

    blur: float = 0.0
    fewer: int | tuple[int, int] | None = None
    colour: Sequence[Sequence[float]] | None = None
    mask: ImageInput | None = None


@dataclass(frozen=True)
class Match:
    """How well an image matches what was given, once it is degraded as that was; over known pixels.

    Attributes:
        mse: mean squared error over pixels in [0, 1].
        psnr: in dB, at most 100.
    """

    mse: float
    psnr: float


@dataclass(frozen=True)
class Restoration:
    """A restored image, with the evidence for it.

    Attributes:
        image: the restored image.
        latent: the code that was found, of the image without what was put back.
        match: how well the image matches what was given.
        losses: the loss before each step, of all servers that took part.
        stop_reason: why refinement ended.
        steps: steps done in all.
        timings: where the time went, on the server that answered.
        resumed: how often it went on from a checkpoint after its server was lost.
        method: which found it.
    """

    image: Picture
    latent: LatentCode
    match: Match
    losses: tuple[float, ...] = field(repr=False)
    stop_reason: StopReason
    steps: int
    timings: Timings
    resumed: int = 0
    method: str = ""


def restore_request(
    image: ImageInput,
    preset: RestorationPreset | str | None,
    degraded: Degraded | None,
    keep_known: bool,
    options: InvertOptions,
    preview_every: int,
) -> restoration_pb2.RestoreStreamRequest:
    """Make a message of a restoration asked for.

    Raises:
        InputError: an option that cannot be sent.
    """
    return restoration_pb2.RestoreStreamRequest(
        image=image_message(image),
        options=restoration_options(preset, degraded, options, keep_known=keep_known),
        preview_every=preview_every,
        checkpoint_every=1,
    )


def restoration_options(
    preset: RestorationPreset | str | None,
    degraded: Degraded | None,
    options: InvertOptions,
    *,
    keep_known: bool = False,
) -> restoration_pb2.RestorationOptions:
    """Make a message of all but the image.

    Raises:
        InputError: an option that cannot be sent.
    """
    return restoration_pb2.RestorationOptions(
        preset=_preset(preset),
        degradation=None if degraded is None else _degradation_message(degraded),
        inversion=inversion_options(options),
        keep_known=keep_known,
    )


def _preset(preset: RestorationPreset | str | None) -> restoration_pb2.RestorationPreset.ValueType:
    if preset is None:
        return restoration_pb2.RESTORATION_PRESET_UNSPECIFIED
    if preset not in list(RestorationPreset):
        raise InputError(f"preset: expected one of {', '.join(RestorationPreset)}, got {preset!r}")
    return _PRESETS[RestorationPreset(preset)]


def _degradation_message(degraded: Degraded) -> restoration_pb2.Degradation:
    message = restoration_pb2.Degradation(colour=_nine_numbers(degraded.colour))
    try:
        message.blur = degraded.blur
    except (TypeError, OverflowError):
        raise InputError(f"degraded.blur: expected a number of pixels, got {degraded.blur!r}") from None
    if degraded.fewer is not None:
        message.resampling.CopyFrom(_resampling(degraded.fewer))
    if degraded.mask is not None:
        message.mask.CopyFrom(image_message(degraded.mask, "degraded.mask"))
    return message


def _resampling(fewer: int | tuple[int, int]) -> restoration_pb2.Resampling:
    try:
        rows, columns = fewer if isinstance(fewer, Sequence) else (fewer, fewer)
        return restoration_pb2.Resampling(rows=index(rows), columns=index(columns))
    except (TypeError, ValueError):
        raise InputError(
            f"degraded.fewer: expected how many times, or (rows, columns), in whole numbers, got {fewer!r}"
        ) from None


def _nine_numbers(colour: Sequence[Sequence[float]] | None) -> list[float]:
    if colour is None:
        return []
    try:
        matrix = np.array([[float(number) for number in row] for row in colour])
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape != (3, 3):
        raise InputError(f"degraded.colour: expected three rows of three numbers, got {colour!r}")
    numbers: list[float] = matrix.ravel().tolist()
    return numbers
