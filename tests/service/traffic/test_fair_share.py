"""Turns of bulk calls at the engine, in virtual time."""

import asyncio
import time
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relatent.core.traffic import TrafficClass
from relatent_service.traffic.account import MOST_CREDIT_SECONDS
from relatent_service.traffic.call import Call
from relatent_service.traffic.fair_share import AHEAD_SECONDS, IDLE_SECONDS, FairShare
from relatent_service.traffic.sharing import BULK_SHARE
from tests.fixtures.shared_engine import SharedEngine
from tests.fixtures.virtual_time import run_in_virtual_time

pytestmark = pytest.mark.usefixtures("virtual_clock")
INTERACTIVE, BULK = TrafficClass.INTERACTIVE, TrafficClass.BULK
VIRTUAL = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CHUNKS = st.floats(0.005, 0.4)


class House:
    """Calls at work, which share an engine."""

    def __init__(self):
        self.share, self.engine = FairShare(), SharedEngine()
        self.here = dict.fromkeys(TrafficClass, 0)
        self.charged = dict.fromkeys(TrafficClass, 0.0)

    @contextmanager
    def at_work(self, traffic_class):
        self._come(traffic_class, 1)
        try:
            yield Call(traffic_class=traffic_class)
        finally:
            self._come(traffic_class, -1)

    def _come(self, traffic_class, count):
        self.here[traffic_class] += count
        self.share.want(interactive=self.here[INTERACTIVE], kept_out=False, bulk=self.here[BULK])

    async def chunk(self, call, seconds, **more):
        async with self.share.turn(call, seconds, **more):
            with self.share.at_engine(call):
                await self.engine.run(seconds)
        self.charged[call.traffic_class] += seconds

    async def work(self, traffic_class, seconds, chunks=None, between=0.0):
        """So many chunks one after the other, or chunks for ever; how long they took."""
        began, done = time.monotonic(), 0
        with self.at_work(traffic_class) as call:
            while chunks is None or done < chunks:
                await self.chunk(call, seconds)
                done += 1
                await asyncio.sleep(between)
        return time.monotonic() - began


async def stop(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@given(CHUNKS, st.lists(CHUNKS, min_size=1, max_size=12), st.integers(1, 30))
@VIRTUAL
def test_an_interactive_call_never_waits_longer_for_bulk_calls_than_their_share(own, bulk, chunks):
    async def run():
        house = House()
        flood = [asyncio.create_task(house.work(BULK, seconds)) for seconds in bulk]
        await asyncio.sleep(1.0)
        taken = await house.work(INTERACTIVE, own, chunks)
        await stop(flood)
        return taken

    # It finds what is at the engine, and a bulk call that begins its chunk has all of it.
    already = max(AHEAD_SECONDS, max(bulk)) + max(bulk)
    assert run_in_virtual_time(run()) <= own * chunks / (1 - BULK_SHARE) + already + 0.001


@given(st.lists(CHUNKS, min_size=1, max_size=6), st.lists(CHUNKS, min_size=6, max_size=12), CHUNKS)
@settings(VIRTUAL, max_examples=20)
def test_bulk_calls_go_on_at_their_share_whatever_interactive_calls_there_are(interactive, bulk, warm_up):
    async def run():
        house = House()
        tasks = [asyncio.create_task(house.work(INTERACTIVE, seconds)) for seconds in interactive]
        await asyncio.sleep(warm_up)
        tasks += [asyncio.create_task(house.work(BULK, seconds)) for seconds in bulk]
        before = dict(house.charged)
        await asyncio.sleep(60)
        charged = {each: house.charged[each] - before[each] for each in TrafficClass}
        await stop(tasks)
        return charged[BULK]

    # Whole chunks count, of as many calls as were at the engine.
    loose = MOST_CREDIT_SECONDS + 2 * max(bulk) + AHEAD_SECONDS
    assert run_in_virtual_time(run()) == pytest.approx(BULK_SHARE * 60, abs=loose)


@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_a_bulk_client_of_short_calls_one_after_the_other_has_no_more_than_the_share(pause):
    async def client(house):
        while True:
            await house.work(BULK, 0.1, 1)
            await asyncio.sleep(pause)

    async def run():
        house = House()
        tasks = [asyncio.create_task(house.work(INTERACTIVE, 0.1)), asyncio.create_task(client(house))]
        await asyncio.sleep(60)
        charged = dict(house.charged)
        await stop(tasks)
        return charged[BULK] / sum(charged.values())

    assert run_in_virtual_time(run()) <= BULK_SHARE + 0.01


@given(
    st.lists(
        st.tuples(
            st.sampled_from(TrafficClass), CHUNKS, st.integers(1, 6), st.floats(0, 3), st.floats(0.01, 3)
        ),
        min_size=1,
        max_size=16,
    ),
    st.lists(st.booleans(), min_size=16, max_size=16),
)
@VIRTUAL
def test_all_come_to_their_end_whoever_comes_and_goes_when_it_will(calls, patient):
    async def one(house, call, is_patient):
        traffic_class, seconds, chunks, comes, leaves = call
        await asyncio.sleep(comes)
        async with asyncio.timeout(None if is_patient else leaves):
            await house.work(traffic_class, seconds, chunks, between=0.01)

    async def run():
        house = House()
        ended = await asyncio.gather(
            *(one(house, *each) for each in zip(calls, patient, strict=False)), return_exceptions=True
        )
        assert all(each is None or isinstance(each, TimeoutError) for each in ended)
        # Nothing is kept of those that went: one alone goes at once.
        assert await house.work(BULK, 0.1, 3) == pytest.approx(0.3)

    run_in_virtual_time(run())


def test_bulk_calls_alone_have_no_more_at_the_engine_than_an_interactive_one_should_find():
    async def run():
        house, most = House(), 0
        tasks = [asyncio.create_task(house.work(BULK, 0.1)) for _ in range(8)]
        for _ in range(100):
            await asyncio.sleep(0.013)
            most = max(most, len(house.engine._left))
        await stop(tasks)
        return most

    assert run_in_virtual_time(run()) == int(AHEAD_SECONDS / 0.1)


def test_a_bulk_call_goes_alone_however_long_its_chunk_is():
    async def run():
        return await House().work(BULK, 7.0, 2)

    assert run_in_virtual_time(run()) == pytest.approx(14.0)


def test_the_engine_is_not_left_idle_for_an_interactive_call_that_is_busy_elsewhere():
    async def run():
        house = House()
        with house.at_work(INTERACTIVE):  # and never goes to the engine
            return await house.work(BULK, 0.1, 20)

    assert run_in_virtual_time(run()) == pytest.approx(2.0 + IDLE_SECONDS)


def test_a_call_whose_time_is_up_goes_without_a_turn_to_find_that_out():
    async def run():
        house = House()
        busy = asyncio.create_task(house.work(INTERACTIVE, 100.0))
        await asyncio.sleep(0.01)
        with house.at_work(BULK) as call:
            began = time.monotonic()
            async with house.share.turn(call, 50.0, timeout=3.0):
                waited = time.monotonic() - began
            assert call.turn_seconds == pytest.approx(3.0)
        await stop([busy])
        return waited

    assert run_in_virtual_time(run()) == pytest.approx(3.0)


def test_a_call_waits_no_more_for_its_answer_once_all_else_is_done():
    async def run():
        house = House()
        busy = [asyncio.create_task(house.work(INTERACTIVE, 0.5)) for _ in range(3)]
        await asyncio.sleep(0.01)
        with house.at_work(BULK) as call, call.answering():
            await house.chunk(call, 0.1)
        await stop(busy)
        return call.turn_seconds

    assert run_in_virtual_time(run()) == 0


def test_who_waits_for_a_turn_is_waited_for_by_nobody_and_is_back_as_it_comes():
    async def run():
        house, told = House(), []

        @contextmanager
        def apart():
            told.append("apart")
            yield
            told.append("back")

        busy = asyncio.create_task(house.work(INTERACTIVE, 1.0, 1))
        await asyncio.sleep(0.5)
        with house.at_work(BULK) as call:
            async with house.share.turn(call, 0.1, meanwhile=apart):
                told.append("turn")
        await busy
        return told

    assert run_in_virtual_time(run()) == ["apart", "back", "turn"]
