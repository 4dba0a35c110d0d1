"""The end of an inversion: the image of the code that was found, and how close it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.pack import Pack
from relatent.core.quality import Quality
from relatent.core.spaces import PLAIN, Space
from relatent_service.engine.engine import EngineTimedOut
from relatent_service.engine.models import Models
from relatent_service.inversion.job import Answered, Job
from relatent_service.inversion.plausibility import code_cycle
from relatent_service.traffic.call import Call
from relatent_service.traffic.pace import Pace

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Finished:
    """What a code is worth.

    Attributes:
        image: of the code, uint8 [R, R, 3], or what the job makes of that.
        quality: how close it, or what is seen of it, is to the image that was inverted.
        cycle: of the code; None where the pack knows no domain, or the code has no W+ part.
        beyond: how much what a code has besides its W+ part changes the image, uint8 [R, R]: the mean over
            colours of the absolute difference; None for codes that have nothing besides.
    """

    image: Pixels
    quality: Quality
    cycle: float | None
    beyond: Pixels | None


async def finish(job: Job, code: Codes, models: Models, pace: Pace, call: Call) -> Finished:
    """Find out what one code is worth.

    How long that takes is measured, as time must be kept back for it.

    Args:
        job: which found the code.
        code: the one.
        models: what runs the graphs.
        pace: told of the time.
        call: on whose behalf.
    """
    began, pack = monotonic(), job.plan.pack
    try:
        image = await models.synthesize(pack, code, call)
        answer = Answered(image[0], image[0])
        if job.answer is not None:
            answer = await asyncio.to_thread(job.answer, answer.image)
        quality = await models.assess(pack, answer.seen[None], job.image[None], call)
        away = None if job.plan.domain is None else await code_cycle(pack, code, image[0], models, call)
        beyond = await _beyond(pack, code, image, models, call)
    except (asyncio.CancelledError, EngineTimedOut):
        pace.answer_at_least(pack.name, monotonic() - began)
        raise
    pace.measure_answer(pack.name, monotonic() - began)
    return Finished(answer.image, quality, away, beyond)


async def _beyond(pack: Pack, code: Codes, image: Pixels, models: Models, call: Call) -> Pixels | None:
    if code.space in PLAIN or code.space is Space.MULTI:
        return None
    plain = await models.synthesize(pack, code.reduced(), call)
    change = np.abs(image[0].astype(np.int16) - plain[0]).mean(2)
    return np.asarray(change.round(), np.uint8)
