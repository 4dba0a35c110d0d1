"""The end of an inversion: the image of the code that was found, and how close it is."""

from __future__ import annotations

import asyncio
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent.core.quality import Quality
from relatent_service.engine.engine import EngineTimedOut
from relatent_service.engine.models import Models
from relatent_service.traffic.call import Call
from relatent_service.traffic.pace import Pace

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


async def reconstruct(
    pack: Pack, code: Floats, target: Pixels, models: Models, pace: Pace, call: Call
) -> tuple[Pixels, Quality]:
    """The image uint8 [R, R, 3] of a code float32 [1, L, D], and how close it is to a target of its shape.

    How long that takes is measured, as time must be kept back for it.
    """
    began = monotonic()
    try:
        image = await models.synthesize(pack, code, call)
        quality = await models.assess(pack, image, target[None], call)
    except (asyncio.CancelledError, EngineTimedOut):
        pace.answer_at_least(pack.name, monotonic() - began)
        raise
    pace.measure_answer(pack.name, monotonic() - began)
    return image[0], quality
