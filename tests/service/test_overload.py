"""Goodput under an open load, in virtual time: arrivals that do not wait for the answers before them."""

import asyncio
import random
import time
from collections import Counter

import pytest

from service.admission import Admission
from service.call import Call
from service.errors import OutOfTime, Overloaded
from service.forecast import Work
from service.lockstep import Lockstep
from service.pace import Pace
from tests.fixtures.virtual_time import run_in_virtual_time

GRAPH = "refine"
CHUNKS, STEPS = 5, 10
FIXED, EACH = 0.02, 0.03
"""Seconds of a batch of chunks, and of each in it: four at a time are a quarter faster than one alone."""
OUTSIDE = 0.01
"""Seconds of a call before and after its chunks."""
ALONE = CHUNKS * (FIXED + EACH) + 2 * OUTSIDE
CAPACITY = 8 / (CHUNKS * (FIXED + 8 * EACH))
"""Calls a second when eight are at work all the time."""


class Batcher:
    """Runs everything in its queue at once, whenever it is free, in about the time it should take."""

    def __init__(self, chance):
        self._chance = chance
        self._queue = []
        self._task = None

    async def infer(self):
        answer = asyncio.get_running_loop().create_future()
        self._queue.append(answer)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        await answer

    async def _run(self):
        while self._queue:
            batch, self._queue = self._queue, []
            await asyncio.sleep((FIXED + EACH * len(batch)) * self._chance.uniform(0.8, 1.2))
            for answer in batch:
                if not answer.done():
                    answer.set_result(None)


class Service:
    """Calls of one kind, as the service answers them, over a model of the engine."""

    def __init__(self, chance, max_inflight=32, max_queue=256):
        self.pace = Pace(lambda: time.monotonic())  # looked up when called: the clock is replaced
        self.admission = Admission(max_inflight, max_queue, self.pace)
        self._lockstep, self._batcher = Lockstep(), Batcher(chance)

    async def answer(self, call, chunks=CHUNKS):
        async with self.admission.place(Work({GRAPH: chunks * STEPS}), call) as place:
            await asyncio.sleep(OUTSIDE)
            with self._lockstep.member():
                for number in range(chunks):
                    if number:
                        self.admission.check_in_time(place)
                    came = time.monotonic()
                    async with self._lockstep.chunk():
                        began, entered = time.monotonic(), self.pace.enter()
                        call.turn_seconds += began - came
                        try:
                            await self._batcher.infer()
                        finally:
                            charged = self.pace.leave(entered)
                        self.pace.measure(GRAPH, STEPS, charged)
                        seconds = time.monotonic() - began
                        call.inference_seconds += seconds
                    self.admission.advance(place, GRAPH, STEPS, seconds)
                    self._lockstep.measure(seconds)
            await asyncio.sleep(OUTSIDE)


async def overload(load, seconds=200, deadline=4 * ALONE, sizes=(CHUNKS,)):
    """What becomes of calls at so many times capacity: how they end, and how soon the refused know."""
    chance = random.Random(1)
    service, refusals = Service(chance), []
    counts: Counter[str] = Counter()
    mean = sum(sizes) / len(sizes) / CHUNKS

    async def caller(chunks):
        began = time.monotonic()
        left = deadline * chunks / CHUNKS
        try:
            async with asyncio.timeout(left):
                await service.answer(Call(deadline=began + left), chunks)
            counts["in_time"] += chunks / CHUNKS
        except (Overloaded, OutOfTime):
            counts["refused"] += 1
            refusals.append(time.monotonic() - began)
        except TimeoutError:
            counts["late"] += 1

    await service.answer(Call())  # as the rehearsal does, it tells the pace
    calls, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(chance.expovariate(load * CAPACITY / mean))
        calls.append(asyncio.create_task(caller(chance.choice(sizes))))
    await asyncio.gather(*calls)
    prompt = sum(taken <= 0.05 for taken in refusals) / max(1, len(refusals))
    return counts["in_time"] / seconds / CAPACITY, counts, prompt


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


@pytest.mark.parametrize("sizes", [(CHUNKS,), (1, 5, 20)], ids=["equal", "mixed"])
@pytest.mark.parametrize("load", [2, 5])
def test_overload_costs_no_more_than_a_tenth_of_capacity_and_the_refused_know_at_once(load, sizes):
    goodput, counts, prompt = run_in_virtual_time(overload(load, sizes=sizes))
    assert goodput >= 0.9
    assert counts["late"] <= 0.02 * counts["refused"]
    assert prompt >= 0.98


def test_half_the_load_is_answered_but_for_bursts():
    goodput, counts, _ = run_in_virtual_time(overload(0.5))
    assert counts["in_time"] / counts.total() > 0.93
    assert goodput < 0.55, "it cannot answer more than it was asked"
