"""Who has a slot, who waits, and who is set aside."""

import asyncio

import pytest

from relatent_service.errors import NotReady, Overloaded
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.entry import LOOKED_AT, PASSING_SECONDS
from relatent_service.traffic.forecast import Work
from relatent_service.traffic.lifecycle import Lifecycle
from relatent_service.traffic.pace import Pace
from tests.fixtures.guests import GRAPH, within
from tests.fixtures.virtual_time import run_in_virtual_time


async def test_no_more_than_the_limit_are_at_work_and_places_go_in_order(guests):
    for name in "abcd":
        await guests.come(name)
    assert guests.inside == ["a", "b"]
    assert (guests.admission.inflight, guests.admission.waiting) == (2, 2)
    await guests.go("b")
    assert guests.inside == ["a", "c"]
    await guests.go("a")
    await guests.go("c")
    assert guests.inside == ["d"]
    await guests.go("d")
    assert (guests.admission.inflight, guests.admission.waiting) == (0, 0)


async def test_a_full_queue_turns_away_and_says_how_long_it_would_take(guests):
    for name in "abcd":
        await guests.come(name, steps=10)
    with pytest.raises(Overloaded) as caught:
        await guests.come("e")
    assert caught.value.reason == "QUEUE_FULL"
    # a and b share the engine: 2 s for both; then c and d: 2 s more.
    assert caught.value.retry_seconds == pytest.approx(4.0)


async def test_a_cost_that_was_not_measured_for_long_is_tried_though_it_seems_too_slow(
    make, pace, monkeypatch
):
    guests = make(max_inflight=8)
    pace.measure("other", 1, 100.0)
    async with guests.admission.slot(Work({"other": 1}), Call()):
        with pytest.raises(Overloaded):
            await guests.come("a", steps=50, call=within(5.0))
        monkeypatch.setattr("relatent_service.traffic.pace.STALE_SECONDS", -1.0)
        await guests.come("b", steps=50, call=within(5.0))
        assert guests.inside == ["b"]
        with pytest.raises(Overloaded):
            await guests.come("c", steps=50, call=within(5.0))


async def test_a_slow_reader_does_not_make_calls_look_slow(make):
    guests = make(max_inflight=8)
    admission = guests.admission
    async with admission.slot(Work({GRAPH: 1}), Call()) as slot, admission.away(slot, 0.05):
        await asyncio.sleep(0.4)
    await guests.come("a", steps=1)
    await guests.come("b", steps=1, call=within(0.45))
    assert guests.inside == ["a", "b"]


async def test_who_is_away_again_and_again_loses_the_place_as_well(make):
    guests = make(max_inflight=1)
    admission = guests.admission
    async with admission.slot(Work({GRAPH: 10}), Call()) as slot:
        for _ in range(4):
            async with admission.away(slot, 0.1):
                await asyncio.sleep(0.04)
                lost = admission.aside
        assert lost == 1


async def test_the_backlog_is_the_work_outstanding_at_the_measured_pace(guests):
    admission = guests.admission
    assert admission.backlog_seconds() == 0
    async with admission.slot(Work({GRAPH: 50, "other": 5}), Call()) as slot:
        assert admission.backlog_seconds() == pytest.approx(5.0 + 5 * admission.pace.cost("other"))
        admission.advance(slot, GRAPH, runs=20)
        assert admission.backlog_seconds() == pytest.approx(3.0 + 5 * admission.pace.cost("other"))
    assert admission.backlog_seconds() == 0


async def test_work_in_the_queue_counts_as_backlog(guests):
    for name in "abc":
        await guests.come(name)
    assert guests.admission.backlog_seconds() == pytest.approx(3.0)
    await guests.cancel("c")
    assert guests.admission.backlog_seconds() == pytest.approx(2.0)
    await guests.cancel("a")
    await guests.cancel("b")
    assert guests.admission.backlog_seconds() == 0


async def test_one_that_is_cancelled_while_it_waits_leaves_the_queue(guests):
    for name in "abcd":
        await guests.come(name)
    await guests.cancel("c")
    await guests.go("a")
    assert guests.inside == ["b", "d"]


async def test_one_that_is_cancelled_as_it_gets_its_place_passes_it_on(guests):
    for name in "abcd":
        await guests.come(name)
    # Both in the same turn of the loop: a leaves, so c is given its slot, and c is cancelled.
    guests._leave["a"].set()
    while guests.admission.waiting == 2:
        await asyncio.sleep(0)
    await guests.cancel("c")
    assert guests.inside == ["b", "d"]
    await guests.go("b")
    await guests.go("d")
    assert guests.admission.inflight == 0


async def test_however_many_give_up_at_once_the_next_gets_the_place_that_is_left(make):
    guests = make(max_inflight=1, max_queue=2 * LOOKED_AT)
    admission, found = guests.admission, []
    waiting = [f"b{number}" for number in range(LOOKED_AT)]
    for name in ("a", *waiting, "c"):
        await guests.come(name)

    def look():
        admission.would_meet(Work({GRAPH: 1}), Call())
        found.append(admission.inflight)

    # All in the same turn of the loop: a leaves, somebody asks, and all before c give up.
    guests._leave["a"].set()
    asyncio.get_running_loop().call_soon(look)
    for name in waiting:
        guests.task(name).cancel()
    await asyncio.sleep(0.01)
    assert found == [1]
    assert guests.inside == ["c"]


async def test_the_time_in_the_queue_is_told(guests):
    call = Call()
    await guests.come("a")
    await guests.come("b")
    await guests.come("c", call=call)
    await asyncio.sleep(0.05)
    await guests.go("a")
    assert call.queue_seconds >= 0.05


async def test_who_is_away_for_long_gives_the_place_to_others_and_waits_for_another(make):
    guests = make(max_inflight=1)
    admission, events, back = guests.admission, [], asyncio.Event()

    async def wanderer():
        async with admission.slot(Work({GRAPH: 10}), Call()) as slot:
            async with admission.away(slot, 0.01):
                await back.wait()
            events.append("back at work")

    task = asyncio.create_task(wanderer())
    await asyncio.sleep(0)
    await guests.come("a")
    assert admission.waiting == 1
    await asyncio.sleep(0.03)
    assert guests.inside == ["a"]
    assert (admission.inflight, admission.aside) == (1, 1)
    await guests.come("b")
    back.set()
    await asyncio.sleep(0.01)
    assert (events, admission.aside, admission.waiting) == ([], 0, 2)
    await guests.go("a")
    await task
    assert events == ["back at work"], "before b, which came later"
    assert guests.inside == ["b"]


async def test_who_is_away_for_a_moment_keeps_the_place(make):
    guests = make(max_inflight=1)
    async with guests.admission.slot(Work({GRAPH: 10}), Call()) as slot:
        await guests.come("a")
        async with guests.admission.away(slot, 5.0):
            await asyncio.sleep(0.01)
        assert (guests.inside, guests.admission.aside) == ([], 0)


def test_the_wait_for_another_place_is_not_held_against_who_was_away(virtual_clock):
    async def stay(admission, seconds):
        async with admission.slot(Work({GRAPH: 10}), Call()):
            await asyncio.sleep(seconds)

    async def run():
        admission = Admission(1, 8, Pace(), Lifecycle())
        async with asyncio.TaskGroup() as others, admission.slot(Work({GRAPH: 10}), Call()) as slot:
            others.create_task(stay(admission, 100.0))
            async with admission.away(slot, 1.0):
                await asyncio.sleep(2.0)
            assert slot.call.queue_seconds == pytest.approx(99.0)
            others.create_task(stay(admission, 100.0))
            async with admission.away(slot, 3.0):
                await asyncio.sleep(0.5)
                lost = admission.aside
        return lost

    assert run_in_virtual_time(run()) == 0


async def test_who_comes_back_may_be_passed_for_as_long_as_who_is_new(make):
    guests, back = make(max_inflight=8), asyncio.Event()
    admission = guests.admission

    async def wanderer():
        async with admission.slot(Work({GRAPH: 1000}), Call()) as slot, admission.away(slot, 0.0):
            await back.wait()
            slot.came -= 10 * PASSING_SECONDS

    task = asyncio.create_task(wanderer())
    await asyncio.sleep(0.01)
    await guests.come("a", steps=500, call=within(70.0))
    back.set()
    await asyncio.sleep(0.01)
    assert (guests.inside, admission.waiting) == (["a"], 1), "it would make a late"
    await guests.come("b", steps=1, call=within(5.0))
    assert guests.inside == ["a", "b"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_those_set_aside_count_as_waiting_so_that_they_cannot_grow_without_bound(make):
    guests = make(max_inflight=1, max_queue=1)
    admission, never = guests.admission, asyncio.Event()

    async def wanderer():
        async with admission.slot(Work({GRAPH: 10}), Call()) as slot, admission.away(slot, 0.0):
            await never.wait()

    task = asyncio.create_task(wanderer())
    await asyncio.sleep(0.01)
    assert admission.aside == 1
    await guests.come("a")
    with pytest.raises(Overloaded) as caught:
        await guests.come("b")
    assert caught.value.reason == "QUEUE_FULL"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert admission.aside == 0
    assert admission.backlog_seconds() == pytest.approx(1.0)


async def test_once_closed_nobody_comes_in_and_those_who_wait_are_sent_away(guests):
    for name in "abc":
        await guests.come(name)
    guests.lifecycle.drain()
    guests.admission.send_away()
    with pytest.raises(NotReady):
        await guests.task("c")
    with pytest.raises(NotReady):
        await guests.come("d")
    assert guests.inside == ["a", "b"]
