"""Decodes the images of requests, a few at a time: the largest take some hundred megabytes while at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from relatent.core.fit import Fit
from relatent.core.tracing import span
from relatent_service.editing.region import Region
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Encoded, ImageLimits, read_grey, read_rgb
from relatent_service.images.framing import Pixels, check_proportions, square
from relatent_service.inversion.job import Job
from relatent_service.rpc.reading.given import Given, decode_given
from relatent_service.rpc.reading.options import MASK, ParsedInversion
from relatent_service.rpc.reading.region import ParsedRegion
from relatent_service.rpc.reading.restoration import ParsedRestoration

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

AT_ONCE = 2


class Decoder:
    """The one owner of the threads that decode; whoever comes while all are busy waits.

    Args:
        limits: what is accepted of an image.
    """

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        # Threads of its own rather than a semaphore: a caller that gives up lets go of a semaphore at
        # once, but the decoding that it asked for goes on.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="decoder")

    async def read_square(self, image: Encoded, fit: Fit, resolution: int) -> Pixels:
        """Decode one image, off the event loop, to uint8 [R, R, 3].

        Raises:
            InvalidField: it is not what it must be.
        """
        return await self._decode(_decode_square, image, self._limits, fit, resolution)

    async def read_pixels(self, parsed: ParsedInversion) -> Job:
        """Decode the images of an inversion asked for, off the event loop.

        Raises:
            InvalidField: one of them is not what it must be.
        """
        return await self._decode(_decode, parsed, self._limits)

    async def read_given(self, parsed: ParsedRestoration) -> Given:
        """Decode the images of a restoration asked for, off the event loop.

        Raises:
            InvalidField: one of them is not what it must be.
        """
        return await self._decode(decode_given, parsed, self._limits)

    async def read_region(self, parsed: ParsedRegion | None, resolution: int) -> Region | None:
        """Decode the mask of a region asked for, off the event loop; None where none is.

        Raises:
            InvalidField: it, or the picture that it belongs to, is not what it must be.
        """
        if parsed is None:
            return None
        return await self._decode(_decode_region, parsed, self._limits, resolution)

    async def read_mask(self, parsed: ParsedRegion, resolution: int) -> Pixels:
        """Decode the same mask to uint8 [R, R], not feathered.

        Raises:
            InvalidField: it, or the picture that it belongs to, is not what it must be.
        """
        return await self._decode(_decode_mask, parsed, self._limits, resolution)

    async def _decode(self, decode: Callable[[*Ts], T], *given: *Ts) -> T:
        with span("decode"):
            return await asyncio.get_running_loop().run_in_executor(self._threads, decode, *given)


def _decode_square(image: Encoded, limits: ImageLimits, fit: Fit, resolution: int) -> Pixels:
    return square(read_rgb(image, limits), fit, resolution, image.field)


def _decode_region(parsed: ParsedRegion, limits: ImageLimits, resolution: int) -> Region:
    return Region.of(_decode_mask(parsed, limits, resolution), parsed.feather)


def _decode_mask(parsed: ParsedRegion, limits: ImageLimits, resolution: int) -> Pixels:
    grey = read_grey(parsed.mask, limits)
    if parsed.like is not None:
        check_proportions(grey, read_rgb(parsed.like, limits).size, parsed.mask.field)
    mask = square(grey, parsed.fit, resolution, parsed.mask.field)
    if not mask.any():
        raise InvalidField(parsed.mask.field, "expected somewhere to edit; it is black everywhere")
    return mask


def _decode(parsed: ParsedInversion, limits: ImageLimits) -> Job:
    resolution = parsed.plan.pack.resolution
    picture = read_rgb(parsed.image, limits)
    size = picture.size
    image = square(picture, parsed.fit, resolution, parsed.image.field)
    if parsed.mask is None:
        return Job(parsed.plan, image)
    del picture  # the mask may be as large
    grey = read_grey(parsed.mask, limits)
    check_proportions(grey, size, parsed.mask.field)
    mask = square(grey, parsed.fit, resolution, parsed.mask.field)
    if not mask.any():
        raise InvalidField(parsed.mask.field, "expected something to count; it is black everywhere")
    return Job(parsed.plan, image, {MASK: mask})
