"""Goodput under an open load of both classes, in virtual time."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from relatent.core.traffic import TrafficClass
from relatent_service.errors import OutOfTime, Overloaded
from relatent_service.traffic.call import Call
from tests.fixtures.virtual_service import ALONE, CAPACITY, STEPS, ModelService
from tests.fixtures.virtual_time import run_in_virtual_time

pytestmark = pytest.mark.usefixtures("virtual_clock")
INTERACTIVE, BULK = TrafficClass.INTERACTIVE, TrafficClass.BULK
DEADLINES = {INTERACTIVE: 4.0, BULK: 40.0}
"""Over what a call takes alone."""


@dataclass
class OfClass:
    """What became of the calls of one class."""

    counts: Counter[str] = field(default_factory=Counter)
    refusals: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)

    @property
    def done(self):
        """What was answered in time, over capacity."""
        return self.counts["in_time"] * STEPS

    @property
    def prompt(self):
        return sum(taken <= 0.05 for taken in self.refusals) / max(1, len(self.refusals))


async def mixed(load, seconds=100, bulk_share=0.5):
    """Calls of both classes at so many times capacity; what became of each class."""
    chance = random.Random(1)
    service, outcomes = ModelService(chance), {each: OfClass() for each in TrafficClass}

    async def caller(traffic_class):
        began, outcome = time.monotonic(), outcomes[traffic_class]
        left = DEADLINES[traffic_class] * ALONE
        try:
            async with asyncio.timeout(left):
                await service.answer(Call(began + left, began, traffic_class), STEPS)
            outcome.counts["in_time" if time.monotonic() < seconds else "after the end"] += 1
            outcome.answers.append(time.monotonic() - began)
        except (Overloaded, OutOfTime):
            outcome.counts["refused"] += 1
            outcome.refusals.append(time.monotonic() - began)
        except TimeoutError:
            outcome.counts["late"] += 1

    await service.answer(Call(), STEPS)
    calls = []
    while time.monotonic() < seconds:
        await asyncio.sleep(chance.expovariate(load * CAPACITY / STEPS))
        traffic_class = BULK if chance.random() < bulk_share else INTERACTIVE
        calls.append(asyncio.create_task(caller(traffic_class)))
    await asyncio.gather(*calls)
    return outcomes


@pytest.mark.parametrize(("load", "goodput"), [(2, 0.82), (5, 0.86)])
def test_two_classes_cost_little_of_capacity_and_interactive_answers_come_in_time(load, goodput):
    outcomes = run_in_virtual_time(mixed(load))
    interactive, bulk = outcomes[INTERACTIVE], outcomes[BULK]
    assert (interactive.done + bulk.done) / 100 / CAPACITY >= goodput
    assert interactive.counts["late"] == 0
    assert interactive.prompt >= 0.98
    assert 0.15 <= bulk.done / (interactive.done + bulk.done) <= 0.3
    assert bulk.counts["late"] <= 0.05 * bulk.counts["in_time"]


def test_bulk_calls_alone_have_all_that_there_is():
    bulk = run_in_virtual_time(mixed(2, seconds=40, bulk_share=1.0))[BULK]
    assert bulk.done / 40 / CAPACITY >= 0.88


def test_an_interactive_call_amid_a_flood_takes_little_longer_than_alone():
    async def run():
        service = ModelService(random.Random(1))
        await service.answer(Call(), STEPS)
        flood = [
            asyncio.create_task(service.answer(Call(traffic_class=BULK), 100 * STEPS)) for _ in range(60)
        ]
        taken = []
        for _ in range(20):
            await asyncio.sleep(1.0)
            began = time.monotonic()
            await service.answer(Call(), STEPS)
            taken.append(time.monotonic() - began)
        assert service.admission.inflight_of(BULK) == 24, "more than find places"
        for each in flood:
            each.cancel()
        return sum(taken) / len(taken)

    # Its own time, the quarter of it that bulk calls have beside it, and what it found at the engine.
    assert run_in_virtual_time(run()) <= 1.25 * ALONE + 0.25
