"""The loop around a search, by models that fail, dawdle and answer nonsense."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from relatent.core.codes import Codes
from relatent.core.pack import Pack
from relatent.core.targets import AttributeTarget, End, ReadingGoal
from relatent_service.editing.canvas import Canvas
from relatent_service.editing.exact import NotReadable, ReachedCodes, reach
from relatent_service.engine.engine import EngineTimedOut, EngineUnavailable
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Work
from relatent_service.traffic.lifecycle import Lifecycle
from relatent_service.traffic.pace import Pace
from tests.fixtures import tiny
from tests.fixtures.requests import code

BRIGHTER = AttributeTarget((ReadingGoal(0, (0.6,), relative=False),), (1,), tolerance=1e-3)


class Reading:
    """Reads codes as the tiny pack does; `answer` may make something else of what the nth batch reads.

    Attributes:
        batches: how many codes were read at once, in order.
    """

    def __init__(self, answer: Any = lambda count, readings: readings, seconds: float = 0.0) -> None:
        self.batches: list[int] = []
        self._answer, self._seconds = answer, seconds

    async def read(self, pack: Pack, codes: Codes, call: Call) -> Any:
        self.batches.append(len(codes))
        await asyncio.sleep(self._seconds)
        pixels = tiny.generate(codes.w)
        readings = self._answer(len(self.batches), tiny.readings(pixels).astype(np.float32))
        return pixels, readings


async def reached(pack: Pack, models: Any, target: AttributeTarget, call: Call | None = None) -> ReachedCodes:
    admission = Admission(1, 1, Pace(), Lifecycle())
    call = call or Call()
    async with admission.slot(Work({"tiny_read": 9}), call) as slot:
        canvas = Canvas(pack, models, admission, slot, call)
        return await reach(pack, Codes.plain(code(1)[None]), target, canvas, call)


async def test_a_strip_costs_one_reading_and_then_one_batch_a_round(pack: Pack) -> None:
    models = Reading()
    strip = AttributeTarget((ReadingGoal(0, (0.45, 0.55, 0.6), relative=False),), (1,))
    found = await reached(pack, models, strip)
    assert models.batches[:2] == [1, 3]
    assert sorted(models.batches[1:], reverse=True) == models.batches[1:]
    np.testing.assert_array_equal(tiny.generate(found.codes.w), found.pixels)


@pytest.mark.parametrize("nonsense", [np.nan, np.inf])
async def test_a_network_that_answers_no_number_for_the_code_is_named(pack: Pack, nonsense: float) -> None:
    def answer(count: int, readings: Any) -> Any:
        readings[:, 1] = nonsense
        return readings

    with pytest.raises(NotReadable, match="redness"):
        await reached(pack, Reading(answer), BRIGHTER)


async def test_one_that_answers_no_number_later_ends_it_with_the_best_before(pack: Pack) -> None:
    def answer(count: int, readings: Any) -> Any:
        return readings if count < 3 else np.full_like(readings, np.nan)

    found = await reached(pack, Reading(answer), BRIGHTER)
    (outcome,) = found.outcomes
    assert outcome.end is End.STALLED
    np.testing.assert_allclose(outcome.reached, tiny.readings(found.pixels)[0], atol=1e-6)


async def test_the_deadline_ends_it_with_the_best_before(pack: Pack) -> None:
    deadline = time.monotonic() + 0.35
    found = await reached(pack, Reading(seconds=0.08), BRIGHTER, Call(deadline))
    (outcome,) = found.outcomes
    assert outcome.end in (End.DEADLINE, End.REACHED)
    assert outcome.rounds >= 1
    assert time.monotonic() < deadline


async def test_an_engine_that_takes_too_long_ends_it_with_the_best_before(pack: Pack) -> None:
    def answer(count: int, readings: Any) -> Any:
        if count == 3:
            raise EngineTimedOut("no answer within the time given")
        return readings

    (outcome,) = (await reached(pack, Reading(answer), BRIGHTER)).outcomes
    assert (outcome.rounds, outcome.end) == (1, End.DEADLINE)


async def test_an_engine_that_is_away_for_good_is_not_taken_for_an_answer(pack: Pack) -> None:
    def answer(count: int, readings: Any) -> Any:
        if count == 3:
            raise EngineUnavailable("gone")
        return readings

    with pytest.raises(EngineUnavailable):
        await reached(pack, Reading(answer), BRIGHTER)
