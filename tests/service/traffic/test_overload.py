"""Goodput under an open load, in virtual time: arrivals that do not wait for the answers before them."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from relatent_service.errors import OutOfTime, Overloaded
from relatent_service.inversion.lockstep import Lockstep
from relatent_service.inversion.stopping import even_chunk
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Work
from relatent_service.traffic.lifecycle import Lifecycle
from relatent_service.traffic.pace import Pace
from tests.fixtures.virtual_time import run_in_virtual_time

GRAPH = "refine"
CHUNK, STEPS = 10, 50
"""Steps of a chunk, and of a call if not said otherwise."""
FIXED, EACH = 0.02, 0.03
"""Seconds of a batch of chunks, and of each in it: four at a time are a quarter faster than one alone."""
OUTSIDE = 0.01
"""Seconds of a call before and after its chunks."""
ALONE = STEPS / CHUNK * (FIXED + EACH) + 2 * OUTSIDE
CAPACITY = 8 * CHUNK / (FIXED + 8 * EACH)
"""Steps a second when eight are at work all the time."""


class Batcher:
    """Runs everything in its queue at once, whenever it is free, in about the time it should take.

    A batch does as many steps as the longest chunk in it, as the graphs do.
    """

    def __init__(self, chance):
        self.slowness = 1.0
        self._chance = chance
        self._queue = []
        self._task = None

    async def infer(self, steps):
        answer = asyncio.get_running_loop().create_future()
        self._queue.append((steps, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        await answer

    async def _run(self):
        while self._queue:
            batch, self._queue = self._queue, []
            part = max(steps for steps, _ in batch) / CHUNK
            seconds = part * (FIXED + EACH * len(batch)) * self._chance.uniform(0.8, 1.2)
            await asyncio.sleep(seconds * self.slowness)
            for _, answer in batch:
                if not answer.done():
                    answer.set_result(None)


class Service:
    """Calls of one kind, as the service answers them, over a model of the engine."""

    def __init__(self, chance):
        self.pace = Pace(lambda: time.monotonic())  # looked up when called: the clock is replaced
        self.admission = Admission(32, 256, self.pace, Lifecycle())
        self.batcher = Batcher(chance)
        self._lockstep = Lockstep(lambda: self.pace.chunk_seconds(GRAPH))

    async def answer(self, call, steps):
        async with self.admission.slot(Work({GRAPH: steps}), call) as slot:
            await asyncio.sleep(OUTSIDE)
            with self._lockstep.member():
                while left := slot.runs[GRAPH]:
                    if left < steps:
                        self.admission.check_in_time(slot)
                    came = time.monotonic()
                    async with self._lockstep.chunk():
                        call.turn_seconds += time.monotonic() - came
                        count = even_chunk(left, CHUNK)
                        call.inference_seconds += await self._infer(count)
                    self.admission.advance(slot, GRAPH, count)
            await asyncio.sleep(OUTSIDE)

    async def _infer(self, steps):
        """As `relatent_service.engine.models` does."""
        began, entered = time.monotonic(), self.pace.enter()
        learn = self.pace.measure
        try:
            await self.batcher.infer(steps)
        except asyncio.CancelledError:
            learn = self.pace.at_least
            raise
        finally:
            learn(GRAPH, steps, self.pace.leave(entered))
        seconds = time.monotonic() - began
        self.pace.measure_chunk(GRAPH, 1, seconds)
        return seconds


@dataclass
class Outcome:
    """What became of calls; goodput is over capacity."""

    goodput: float
    counts: Counter[str]
    prompt: float


async def overload(load, seconds=200, deadline=4.0, sizes=(STEPS,), slowness=1.0):
    """Calls at so many times capacity, each with so many times the time that it takes alone."""
    chance = random.Random(1)
    service, refusals, done = Service(chance), [], 0
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


@pytest.fixture(autouse=True)
def virtual_clock(monkeypatch):
    """The service reads its time off the loop."""
    real = time.monotonic

    def now():
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return real()

    monkeypatch.setattr(time, "monotonic", now)


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
