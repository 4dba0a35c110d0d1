"""Decodes the images of requests, a few at a time: the largest take some hundred megabytes while at it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from relatent_service.errors import InvalidField
from relatent_service.images.codec import Limits, read_grey, read_rgb
from relatent_service.images.framing import check_proportions, square
from relatent_service.inversion.job import Job
from relatent_service.rpc.reading.options import Wish

AT_ONCE = 2


class Decoder:
    """The one owner of the threads that decode; whoever comes while all are busy waits.

    Args:
        limits: what is accepted of an image.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # Threads of its own rather than a semaphore: a caller that gives up lets go of a semaphore at
        # once, but the decoding that it asked for goes on.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="decoder")

    async def read_pixels(self, wish: Wish) -> Job:
        """Decode a wish's images, off the event loop.

        Raises:
            InvalidField: one of them is not what it must be.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, _decode, wish, self._limits)


def _decode(wish: Wish, limits: Limits) -> Job:
    resolution = wish.job.pack.resolution
    picture = read_rgb(wish.image, limits)
    size = picture.size
    image = square(picture, wish.fit, resolution, wish.image.field)
    if wish.mask is None:
        return replace(wish.job, image=image, mask=np.full((resolution, resolution), 255, np.uint8))
    del picture  # the mask may be as large
    grey = read_grey(wish.mask, limits)
    check_proportions(grey, size, wish.mask.field)
    mask = square(grey, wish.fit, resolution, wish.mask.field)
    if not mask.any():
        raise InvalidField(wish.mask.field, "expected something to count; it is black everywhere")
    return replace(wish.job, image=image, mask=mask)
