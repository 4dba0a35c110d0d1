"""Exact edits: codes are moved until their images' attributes read what is asked for.

A round makes the images of all codes that are not there yet, and reads them, as one batch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.pack import Pack
from relatent.core.targets import AttributeTarget, End, Search, SearchOutcome
from relatent_service.editing.canvas import Canvas
from relatent_service.engine.engine import EngineTimedOut
from relatent_service.traffic.call import Call

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

ANSWER_SECONDS = 0.05
"""Kept back before a deadline, to write the answer."""


class NotReadable(ArithmeticError):
    """The attribute network answers no finite numbers for an image that is to be edited.

    Attributes:
        attributes: those that it does not answer.
    """

    def __init__(self, attributes: tuple[str, ...]) -> None:
        super().__init__(f"no finite reading of {', '.join(attributes)}")
        self.attributes = attributes


@dataclass(frozen=True)
class ReachedCodes:
    """Codes that a target was reached with, as near as could be.

    Attributes:
        codes: N of them.
        pixels: their images, uint8 [N, R, R, 3].
        outcomes: what became of each.
    """

    codes: Codes
    pixels: Pixels
    outcomes: list[SearchOutcome]


async def reach(
    pack: Pack, codes: Codes, target: AttributeTarget, canvas: Canvas, call: Call
) -> ReachedCodes:
    """Move codes until they are where a target wants them; one code for each value of a strip.

    It ends with the best so far when the target's time is up or the call's deadline comes near.

    Args:
        pack: whose codes; one with controls.
        codes: N of one space.
        target: what to reach.
        canvas: where their images are read.
        call: on whose behalf.

    Raises:
        NotReadable: what is to be edited cannot be read.
    """
    assert pack.controls is not None
    pixels, before = await canvas.read(codes)
    if not np.isfinite(before).all():
        bad = ~np.isfinite(before).all(0)
        raise NotReadable(tuple(name for name, none in zip(pack.attribute_names, bad, strict=True) if none))
    search = Search(pack.attributes, pack.controls, target, before)
    count = len(search.active)
    base = codes if len(codes) == count else codes.with_w(np.repeat(codes.w, count, axis=0))
    pixels = np.repeat(pixels, count // len(codes), axis=0)
    interrupted, seconds = End.STALLED, 0.0
    while (active := np.flatnonzero(search.active)).size:
        if (end := _time_is_up(target, call, seconds)) is not None:
            interrupted = end
            break
        began = time.monotonic()
        try:
            tried, readings = await canvas.read(base.at(active).shifted(search.shifts()))
        except EngineTimedOut:
            interrupted = End.DEADLINE
            break
        better = search.learn(readings)
        pixels[active[better]] = tried[better]
        seconds = time.monotonic() - began
    return ReachedCodes(base.shifted(search.best), pixels, search.outcomes(interrupted))


def _time_is_up(target: AttributeTarget, call: Call, seconds: float) -> End | None:
    """Why there is no time for a round that takes as long as the last; None if there is."""
    end = time.monotonic() + seconds
    if target.seconds is not None and end > call.arrived + target.seconds:
        return End.TIME_BUDGET
    if call.deadline is not None and end + ANSWER_SECONDS > call.deadline:
        return End.DEADLINE
    return None
