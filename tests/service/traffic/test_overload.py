"""Goodput under an open load, in virtual time: arrivals that do not wait for the answers before them."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from relatent_service.errors import OutOfTime, Overloaded
from relatent_service.traffic.call import Call
from tests.fixtures.virtual_service import ALONE, CAPACITY, STEPS, ModelService
from tests.fixtures.virtual_time import run_in_virtual_time

pytestmark = pytest.mark.usefixtures("virtual_clock")


@dataclass
class Outcome:
    """What became of calls; goodput is over capacity."""

    goodput: float
    counts: Counter[str]
    prompt: float


async def overload(load, seconds=200, deadline=4.0, sizes=(STEPS,), slowness=1.0):
    """Calls at so many times capacity, each with so many times the time that it takes alone."""
    chance = random.Random(1)
    service, refusals, done = ModelService(chance), [], 0
    counts: Counter[str] = Counter()

    async def caller(steps):
        nonlocal done
        began = time.monotonic()
        left = deadline * ALONE * steps / STEPS
        try:
            async with asyncio.timeout(left):
                await service.answer(Call(deadline=began + left, arrived=began), steps)
            counts["in_time"] += 1
            done += steps
        except (Overloaded, OutOfTime):
            counts["refused"] += 1
            refusals.append(time.monotonic() - began)
        except TimeoutError:
            counts["late"] += 1

    await service.answer(Call(), STEPS)  # as the rehearsal does, it tells the pace
    service.batcher.slowness = slowness
    rate = load * CAPACITY / slowness / (sum(sizes) / len(sizes))
    calls, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(chance.expovariate(rate))
        calls.append(asyncio.create_task(caller(chance.choice(sizes))))
    await asyncio.gather(*calls)
    prompt = sum(taken <= 0.05 for taken in refusals) / max(1, len(refusals))
    return Outcome(done / seconds / CAPACITY * slowness, counts, prompt)


@pytest.mark.parametrize("sizes", [(50,), (10, 50, 200), (41,)], ids=["equal", "mixed", "odd"])
@pytest.mark.parametrize("load", [2, 5])
def test_overload_costs_next_to_nothing_of_capacity_and_the_refused_know_at_once(load, sizes):
    outcome = run_in_virtual_time(overload(load, sizes=sizes))
    # Of steps that fill no whole number of chunks some company is lost.
    assert outcome.goodput >= (0.78 if sizes == (41,) else 0.88)
    assert outcome.counts["late"] <= 0.02 * outcome.counts["refused"]
    assert outcome.prompt >= 0.98


def test_half_the_load_is_answered_but_for_bursts():
    outcome = run_in_virtual_time(overload(0.5))
    assert outcome.counts["in_time"] / outcome.counts.total() > 0.93
    assert outcome.goodput < 0.55, "it cannot answer more than it was asked"


@pytest.mark.parametrize("slowness", [4.0, 6.0])
def test_an_engine_that_has_become_slower_is_learnt_though_at_first_no_call_is_answered(slowness):
    outcome = run_in_virtual_time(overload(2, deadline=2 * slowness, sizes=(10,), slowness=slowness))
    assert outcome.goodput >= 0.4
