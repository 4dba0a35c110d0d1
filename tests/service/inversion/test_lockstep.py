"""In virtual time, against a model of Triton's batcher: one instance that runs all that it finds queued."""

import asyncio
from contextlib import asynccontextmanager, nullcontext

import pytest

from relatent_service.inversion.lockstep import MAX_GATHER_SECONDS, Lockstep
from relatent_service.traffic.pace import Pace
from tests.fixtures.virtual_time import run_in_virtual_time

FIXED, EACH = 0.1, 0.01
"""Seconds of a batch, and of each sample in it."""


class Batcher:
    """Runs everything in its queue at once, whenever it is free."""

    def __init__(self):
        self._queue = []
        self._running = False
        self.batches = []

    async def infer(self):
        answer = asyncio.get_running_loop().create_future()
        self._queue.append(answer)
        if not self._running:
            self._running = True
            self._task = asyncio.create_task(self._run())
        await answer

    async def _run(self):
        while self._queue:
            batch, self._queue = self._queue, []
            self.batches.append(len(batch))
            await asyncio.sleep(FIXED + EACH * len(batch))
            for answer in batch:
                if not answer.done():
                    answer.set_result(None)
        self._running = False


class Measured(Lockstep):
    """One that learns how long chunks take as the service's do."""

    def __init__(self):
        self._pace = Pace()
        super().__init__(lambda: self._pace.chunk_seconds("refine"))

    def measure(self, seconds):
        self._pace.measure_chunk("refine", 1, seconds)


class Alone:
    """No lockstep, for comparison."""

    def member(self):
        return nullcontext()

    @asynccontextmanager
    async def chunk(self):
        yield

    def measure(self, seconds):
        pass


async def refine(lockstep, batcher, chunks, *, after=0.0, pause=0.0005):
    """A refinement: so many chunks, with a little of its own to do between them."""
    await asyncio.sleep(after)
    with lockstep.member():
        for _ in range(chunks):
            async with lockstep.chunk():
                began = asyncio.get_running_loop().time()
                await batcher.infer()
                lockstep.measure(asyncio.get_running_loop().time() - began)
            await asyncio.sleep(pause)
    return asyncio.get_running_loop().time()


async def staggered(lockstep, count=8, chunks=20):
    batcher = Batcher()
    await asyncio.gather(
        *(refine(lockstep, batcher, chunks, after=0.01 * n, pause=0.0005 + n * 0.0001) for n in range(count))
    )
    return batcher.batches, asyncio.get_running_loop().time()


def test_left_to_themselves_refinements_of_equal_chunks_stay_in_two_cohorts():
    batches, _ = run_in_virtual_time(staggered(Alone()))
    assert batches[:6] == [1, 7, 1, 7, 1, 7]


def test_in_lockstep_they_share_every_batch_from_the_second_on():
    batches, lined_up = run_in_virtual_time(staggered(Measured()))
    assert batches[0] < 8
    assert batches[1:19] == [8] * 18
    _, apart = run_in_virtual_time(staggered(Alone()))
    assert lined_up < 0.7 * apart


def test_one_alone_never_waits():
    async def alone():
        return await refine(Measured(), Batcher(), 10, pause=0)

    assert run_in_virtual_time(alone()) == pytest.approx(10 * (FIXED + EACH))


def test_a_newcomer_waits_for_those_who_run_and_joins_them():
    async def work():
        lockstep, batcher = Measured(), Batcher()
        await asyncio.gather(
            refine(lockstep, batcher, 6),
            refine(lockstep, batcher, 6),
            refine(lockstep, batcher, 3, after=0.2),
        )
        return batcher.batches

    assert run_in_virtual_time(work()) == [1, 2, 3, 3, 3, 2, 1]


def test_one_that_ends_or_is_cancelled_is_not_waited_for():
    async def work():
        lockstep, batcher = Measured(), Batcher()
        staying = asyncio.create_task(refine(lockstep, batcher, 10, pause=0))
        leaving = asyncio.create_task(refine(lockstep, batcher, 100, pause=0))
        await asyncio.sleep(0.3)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        return await staying

    chunk = FIXED + 2 * EACH
    assert run_in_virtual_time(work()) <= 10 * chunk


def test_one_that_stands_apart_is_not_waited_for_and_is_once_it_is_back():
    async def work():
        lockstep, batcher, back = Measured(), Batcher(), asyncio.Event()

        async def wanderer():
            with lockstep.member():
                with lockstep.apart():
                    await back.wait()
                async with lockstep.chunk():
                    await batcher.infer()

        wandering = asyncio.create_task(wanderer())
        await asyncio.sleep(0)
        alone = await refine(lockstep, batcher, 5, pause=0)
        staying = asyncio.create_task(refine(lockstep, batcher, 3, pause=0))
        await asyncio.sleep(FIXED / 2)
        back.set()
        await asyncio.gather(wandering, staying)
        return alone, batcher.batches

    assert run_in_virtual_time(work()) == (pytest.approx(5 * (FIXED + EACH)), [1, 1, 1, 1, 1, 1, 2, 1])


def test_one_cancelled_while_it_waits_leaves_the_others_to_go_on():
    async def work():
        lockstep, batcher = Measured(), Batcher()
        running = asyncio.create_task(refine(lockstep, batcher, 4, pause=0))
        waiting = asyncio.create_task(refine(lockstep, batcher, 4, after=0.05))
        await asyncio.sleep(0.06)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return await running, lockstep

    ended, lockstep = run_in_virtual_time(work())
    assert ended == pytest.approx(4 * (FIXED + EACH))
    assert (lockstep._members, lockstep._running, lockstep._waiting) == (0, 0, [])


def test_one_that_dawdles_between_chunks_is_waited_for_a_moment_only():
    async def work(lockstep):
        batcher = Batcher()
        quick = asyncio.create_task(refine(lockstep, batcher, 10, pause=0))
        slow = asyncio.create_task(refine(lockstep, batcher, 5, pause=0.5))
        ended = await quick
        await slow
        return ended

    apart = run_in_virtual_time(work(Alone()))
    assert run_in_virtual_time(work(Measured())) <= apart + 10 * (MAX_GATHER_SECONDS + 2 * EACH)


def test_one_whose_chunk_does_not_come_back_holds_the_others_no_longer_than_a_chunk():
    async def stuck(lockstep):
        with lockstep.member():
            async with lockstep.chunk():
                await asyncio.sleep(1000)

    async def work():
        lockstep, batcher = Measured(), Batcher()
        await refine(lockstep, batcher, 20, pause=0)  # it knows how long a chunk takes
        began = asyncio.get_running_loop().time()
        lost = asyncio.create_task(stuck(lockstep))
        await asyncio.sleep(0.001)
        ended = await refine(lockstep, batcher, 10, pause=0)
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
        return ended - began

    assert run_in_virtual_time(work()) <= 10 * 2.1 * (FIXED + EACH)
