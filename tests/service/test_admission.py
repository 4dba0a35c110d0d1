import asyncio
import time

import pytest

from service.admission import Admission
from service.call import Call
from service.errors import NotReady, Overloaded


class Guests:
    """Calls that hold their places until they are told to leave."""

    def __init__(self, admission):
        self.admission = admission
        self.inside = []
        self._leave = {}
        self._tasks = {}

    async def come(self, name, work=10, call=None):
        self._leave[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._stay(name, work, call or Call()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _stay(self, name, work, call):
        async with self.admission.place(work, call):
            self.inside.append(name)
            await self._leave[name].wait()
        self.inside.remove(name)

    async def go(self, name):
        self._leave[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def cancel(self, name):
        self._tasks[name].cancel()
        await asyncio.gather(self._tasks[name], return_exceptions=True)
        await asyncio.sleep(0)

    def task(self, name):
        return self._tasks[name]


@pytest.fixture
def admission():
    admission = Admission(max_inflight=2, max_queue=2)
    admission.measure(steps=10, seconds=1.0)  # alone: 0.1 s a step
    return admission


async def test_no_more_than_the_limit_are_at_work_and_places_go_in_order(admission):
    guests = Guests(admission)
    for name in "abcd":
        await guests.come(name)
    assert guests.inside == ["a", "b"]
    assert (admission.inflight, admission.waiting) == (2, 2)
    await guests.go("b")
    assert guests.inside == ["a", "c"]
    await guests.go("a")
    await guests.go("c")
    assert guests.inside == ["d"]
    await guests.go("d")
    assert (admission.inflight, admission.waiting) == (0, 0)


async def test_a_full_queue_turns_away_and_says_how_long_it_would_take(admission):
    guests = Guests(admission)
    for name in "abcd":
        await guests.come(name, work=10)
    with pytest.raises(Overloaded) as caught:
        admission.check(Call())
    assert caught.value.reason == "QUEUE_FULL"
    # a and b share the engine: 2 s for both; then c and d: 2 s more.
    assert caught.value.retry_seconds == pytest.approx(4.0)
    for name in "abcd":
        await guests.cancel(name)


async def test_a_wait_longer_than_the_deadline_turns_away_at_once(admission):
    guests = Guests(admission)
    await guests.come("a", work=30)
    await guests.come("b", work=10)
    assert admission.estimated_wait() == pytest.approx(2.0)  # b ends first, at half the pace
    admission.check(Call(deadline=time.monotonic() + 2.5))
    with pytest.raises(Overloaded) as caught:
        admission.check(Call(deadline=time.monotonic() + 1.5))
    assert caught.value.reason == "DEADLINE_TOO_NEAR"
    assert caught.value.retry_seconds == pytest.approx(2.0)
    for name in "ab":
        await guests.cancel(name)


async def test_the_backlog_is_the_work_outstanding_at_the_measured_pace(admission):
    assert admission.backlog_seconds() == 0
    async with admission.place(50, Call()) as place:
        assert admission.backlog_seconds() == pytest.approx(5.0)
        admission.advance(place, steps=20, seconds=2.0)
        assert admission.backlog_seconds() == pytest.approx(3.0)
    assert admission.backlog_seconds() == 0


async def test_work_in_the_queue_counts_as_backlog(admission):
    guests = Guests(admission)
    for name in "abc":
        await guests.come(name, work=10)
    assert admission.backlog_seconds() == pytest.approx(3.0)
    await guests.cancel("c")
    assert admission.backlog_seconds() == pytest.approx(2.0)
    await guests.cancel("a")
    await guests.cancel("b")
    assert admission.backlog_seconds() == 0


async def test_the_pace_is_that_of_the_engine_not_of_one_of_many(admission):
    guests = Guests(admission)
    await guests.come("a")
    await guests.come("b")
    for _ in range(100):
        admission.measure(steps=10, seconds=4.0)  # two at a time
    assert admission.seconds_a_step == pytest.approx(0.2, rel=1e-3)
    await guests.cancel("a")
    await guests.cancel("b")


async def test_one_that_is_cancelled_while_it_waits_leaves_the_queue(admission):
    guests = Guests(admission)
    for name in "abcd":
        await guests.come(name)
    await guests.cancel("c")
    await guests.go("a")
    assert guests.inside == ["b", "d"]
    await guests.go("b")
    await guests.go("d")


async def test_one_that_is_cancelled_as_it_gets_its_place_passes_it_on(admission):
    guests = Guests(admission)
    for name in "abcd":
        await guests.come(name)
    # Both in the same turn of the loop: a leaves, so c is given its place, and c is cancelled.
    guests._leave["a"].set()
    while admission.waiting == 2:
        await asyncio.sleep(0)
    await guests.cancel("c")
    assert guests.inside == ["b", "d"]
    await guests.go("b")
    await guests.go("d")
    assert admission.inflight == 0


async def test_the_time_in_the_queue_is_told(admission):
    guests, call = Guests(admission), Call()
    await guests.come("a")
    await guests.come("b")
    await guests.come("c", call=call)
    await asyncio.sleep(0.05)
    await guests.go("a")
    assert call.queue_seconds >= 0.05
    await guests.go("b")
    await guests.go("c")


async def test_once_closed_nobody_comes_in_and_those_who_wait_are_sent_away(admission):
    guests = Guests(admission)
    for name in "abc":
        await guests.come(name)
    admission.close()
    with pytest.raises(NotReady):
        await guests.task("c")
    with pytest.raises(NotReady):
        admission.check(Call())
    assert guests.inside == ["a", "b"]
    await guests.go("a")
    await guests.go("b")
