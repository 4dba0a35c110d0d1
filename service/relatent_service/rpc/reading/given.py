"""The pixels of a restoration asked for: what is given, and what was done to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from relatent.core.degradation import Degradation
from relatent.core.fit import Fit
from relatent_service.errors import InvalidField
from relatent_service.images.codec import ImageLimits, read_grey, read_rgb
from relatent_service.images.framing import check_proportions, enlarges, framed
from relatent_service.inversion.job import Answered, Job
from relatent_service.rpc.reading.restoration import MOST_TIMES, ParsedDegradation, ParsedRestoration

Pixels = NDArray[np.uint8]

_HALF = 128
"""The least grey of a mask that counts as white."""
_REACH = 3
"""Pixels that an enlarged image's are made of, either way."""


@dataclass(frozen=True)
class Given:
    """A restoration asked for, all of it checked.

    Attributes:
        job: what is refined.
        degradation: what was done to the image.
        pixels: what is given of it, uint8 [height, width, 3].
    """

    job: Job
    degradation: Degradation
    pixels: Pixels


def decode_given(parsed: ParsedRestoration, limits: ImageLimits) -> Given:
    """Decode what is given. Blocking: call it off the event loop.

    Raises:
        InvalidField: an image is not what it must be.
    """
    inversion, asked = parsed.inversion, parsed.degradation
    resolution = inversion.plan.pack.resolution
    picture = read_rgb(inversion.image, limits)
    size = _given_size(picture, asked, inversion.fit, resolution, inversion.image.field)
    pixels = framed(picture, inversion.fit, size, inversion.image.field)
    known = _read_known(asked, limits, inversion.fit, size, picture.size)
    degradation = Degradation(resolution, size[1], size[0], asked.blur, asked.colour, known)
    if parsed.keep_known and known is None and not degradation.changes_pixels:
        raise InvalidField(
            f"{parsed.field}.keep_known", "expected false: no pixel is lost, so the image would come back"
        )
    target = degradation.spread(pixels)
    inputs = degradation.graph_inputs(inversion.plan.method.inputs["rows"].shape[0])

    def answer(image: Pixels) -> Answered:
        whole = degradation.kept(image, pixels) if parsed.keep_known else image
        return Answered(whole, degradation.seen(whole, target))

    return Given(Job(inversion.plan, target, inputs, answer=answer), degradation, pixels)


def _given_size(
    picture: Image.Image, asked: ParsedDegradation, fit: Fit, resolution: int, field: str
) -> tuple[int, int]:
    """Width and height of what is given."""
    if asked.times is not None:
        columns, rows = asked.times
        return resolution // columns, resolution // rows
    side = max(picture.size) if fit is Fit.PAD else min(picture.size)
    least = -(-resolution // MOST_TIMES)
    if not least <= side < resolution:
        raise InvalidField(
            field,
            f"expected a side of {least} to {resolution - 1} pixels to upscale to {resolution}, got {side}; "
            f"{asked.field}.resampling says how much of a larger image is lost",
            reason="NOT_SMALLER",
        )
    return side, side


def _read_known(
    asked: ParsedDegradation, limits: ImageLimits, fit: Fit, size: tuple[int, int], whole: tuple[int, int]
) -> NDArray[np.bool_] | None:
    if asked.mask is None:
        return None
    grey = read_grey(asked.mask, limits)
    check_proportions(grey, whole, asked.mask.field)
    # A pixel is known where all that it is made of is, of the mask and of the image.
    exact = _wholly_white(grey.point(lambda level: 255 * (level >= _HALF)), whole)
    if enlarges(whole, fit, size):
        exact = exact.filter(ImageFilter.MinFilter(2 * _REACH + 1))
    known: NDArray[np.bool_] = framed(exact, fit, size, asked.mask.field) == 255
    if known.all():
        raise InvalidField(asked.mask.field, "expected something unknown; it is white everywhere")
    if not known.any():
        raise InvalidField(asked.mask.field, "expected something known; it is black everywhere")
    return known


def _wholly_white(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A mask at the size of its image, white where all that a pixel covers is."""
    if mask.size == size:
        return mask
    return mask.resize(size, Image.Resampling.BOX).point(lambda level: 255 * (level == 255))
