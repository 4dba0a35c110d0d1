"""The pixels of a restoration asked for: what is given, and what was done to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relatent.core.degradation import Degradation
from relatent.core.fit import Fit
from relatent_service.errors import InvalidField
from relatent_service.images.codec import ImageLimits, read_grey, read_rgb
from relatent_service.images.framing import check_proportions, framed
from relatent_service.inversion.job import Job
from relatent_service.rpc.reading.restoration import MOST_TIMES, ParsedDegradation, ParsedRestoration

Pixels = NDArray[np.uint8]

_HALF = 128
"""The least grey of a mask that counts as white."""


@dataclass(frozen=True)
class Given:
    """A restoration asked for, all of it checked.

    Attributes:
        job: what is refined.
        degradation: what was done to the image.
        pixels: what is given of it, uint8 [height, width, 3].
        keep_known: whether that is put back.
    """

    job: Job
    degradation: Degradation
    pixels: Pixels
    keep_known: bool

    def answer(self, image: Pixels) -> Pixels:
        """The restored image uint8 [R, R, 3], of the one that was found."""
        return self.degradation.kept(image, self.pixels) if self.keep_known else image


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
    job = Job(inversion.plan, target, inputs, seen=lambda image: degradation.seen(image, target))
    return Given(job, degradation, pixels, parsed.keep_known)


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
    known = framed(grey, fit, size, asked.mask.field) >= _HALF
    if known.all():
        raise InvalidField(asked.mask.field, "expected something unknown; it is white everywhere")
    if not known.any():
        raise InvalidField(asked.mask.field, "expected something known; it is black everywhere")
    return known
