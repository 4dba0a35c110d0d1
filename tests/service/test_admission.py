import asyncio

import pytest

from service import admission
from service.admission import Admission
from service.call import Call
from service.errors import NotReady, OutOfTime, Overloaded
from service.forecast import Work
from service.pace import Pace

GRAPH = "refine"
A_STEP = 0.1
"""Seconds of the engine's time."""


class Frozen(Call):
    """A call whose time does not pass, however busy the machine is."""

    def remaining(self):
        return None if self.deadline is None else self.deadline - self.arrived


def within(seconds):
    call = Frozen()
    call.deadline = call.arrived + seconds
    return call


class Guests:
    """Calls that hold their places until they are told to leave."""

    def __init__(self, admission):
        self.admission = admission
        self.inside = []
        self.places = {}
        self._leave = {}
        self._tasks = {}

    async def come(self, name, steps=10, call=None, least=None):
        self._leave[name] = asyncio.Event()
        work = Work({GRAPH: steps}, None if least is None else {GRAPH: least})
        self._tasks[name] = asyncio.create_task(self._stay(name, work, call or Call()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if self._tasks[name].done():
            self._tasks[name].result()

    async def _stay(self, name, work, call):
        async with self.admission.place(work, call) as place:
            self.inside.append(name)
            self.places[name] = place
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

    async def end(self):
        for name in self._tasks:
            await self.cancel(name)

    def task(self, name):
        return self._tasks[name]


@pytest.fixture
def pace():
    pace = Pace()
    pace.measure(GRAPH, 10, 10 * A_STEP)
    return pace


@pytest.fixture
async def make(pace):
    made = []

    def make(max_inflight=2, max_queue=2):
        made.append(Guests(Admission(max_inflight, max_queue, pace)))
        return made[-1]

    yield make
    for guests in made:
        await guests.end()


@pytest.fixture
def guests(make):
    """Two at work at most, and two waiting."""
    return make()


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


async def test_a_call_that_would_be_answered_too_late_is_refused_at_once_though_there_is_a_place(make):
    guests = make(max_inflight=8)
    await guests.come("a", steps=30)
    # Beside it, ten steps of its own take two seconds; held against the deadline with some caution.
    await guests.come("b", steps=10, call=within(2.7))
    with pytest.raises(Overloaded) as caught:
        await guests.come("c", steps=10, call=within(2.7))
    assert caught.value.reason == "DEADLINE_TOO_NEAR"
    assert caught.value.retry_seconds == pytest.approx(4.0), "then a and b are done"
    assert "may take 3.8 s" in caught.value.message
    assert guests.inside == ["a", "b"]


async def test_a_short_call_is_not_held_up_by_long_ones_that_share_with_it(make):
    guests = make(max_inflight=8)
    for name in "abc":
        await guests.come(name, steps=2000)
    await guests.come("d", steps=1, call=within(0.6))
    assert guests.inside == ["a", "b", "c", "d"]


async def test_a_wait_that_leaves_too_little_time_is_refused_at_once(guests):
    await guests.come("a", steps=30)
    await guests.come("b", steps=10)
    assert guests.admission.estimated_wait() == pytest.approx(2.0)  # b ends first, at half the pace
    await guests.come("c", steps=10, call=within(5.5))  # two seconds of waiting, two of work
    assert guests.admission.waiting == 1
    with pytest.raises(Overloaded) as caught:
        await guests.come("d", steps=10, call=within(4.5))
    assert caught.value.reason == "DEADLINE_TOO_NEAR"


async def test_one_that_would_make_another_late_waits_until_it_would_not(make):
    guests = make(max_inflight=8)
    await guests.come("a", steps=10, call=within(1.5))
    await guests.come("b", steps=10, call=within(60))
    assert (guests.inside, guests.admission.waiting) == (["a"], 1)
    guests.admission.advance(guests.places["a"], GRAPH, 7)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert guests.inside == ["a", "b"], "what is left of a takes 0.6 s beside b"


async def test_one_without_a_deadline_never_waits_for_others_that_have_none(make):
    guests = make(max_inflight=8)
    for name in "abcdefgh":
        await guests.come(name, steps=2000)
    assert len(guests.inside) == 8


async def test_a_call_that_answers_when_its_time_is_up_is_taken_for_the_least_it_needs(make):
    guests = make(max_inflight=8)
    await guests.come("a", steps=10)
    await guests.come("b", steps=2000, least=1, call=within(1.0))
    assert guests.inside == ["a", "b"]
    guests.admission.check_in_time(guests.places["b"])


async def test_others_see_no_more_of_a_call_than_it_may_last(make):
    guests = make(max_inflight=32)
    for name in "abcdefgh":
        await guests.come(name, steps=2000, least=1, call=within(1.5))
    assert guests.admission.backlog_seconds() <= 8 * 1.5
    await guests.come("x", steps=20, call=within(60.0))
    assert "x" in guests.inside, "each of them needs 200 s for all its steps, but ends in 1.5 s"


async def test_one_within_its_margin_is_not_made_late_either(make):
    guests = make(max_inflight=8)
    await guests.come("a", steps=10, call=within(1.1))
    await guests.come("b", steps=10)
    assert (guests.inside, guests.admission.waiting) == (["a"], 1)


async def test_who_waits_for_anothers_sake_may_be_passed_by_who_need_not(make, monkeypatch):
    guests = make(max_inflight=8)
    await guests.come("a", steps=500, call=within(70.0))
    await guests.come("b", steps=1000)
    assert guests.admission.waiting == 1
    await guests.come("c", steps=1, call=within(5.0))
    assert guests.inside == ["a", "c"]
    monkeypatch.setattr(admission, "PASSING_SECONDS", -1.0)
    with pytest.raises(Overloaded):
        await guests.come("d", steps=1, call=within(5.0))


async def test_a_cost_that_was_not_measured_for_long_is_tried_though_it_seems_too_slow(
    make, pace, monkeypatch
):
    guests = make(max_inflight=8)
    pace.measure("other", 1, 100.0)
    async with guests.admission.place(Work({"other": 1}), Call()):
        with pytest.raises(Overloaded):
            await guests.come("a", steps=50, call=within(5.0))
        monkeypatch.setattr("service.pace.STALE_SECONDS", -1.0)
        await guests.come("b", steps=50, call=within(5.0))
        assert guests.inside == ["b"]
        with pytest.raises(Overloaded):
            await guests.come("c", steps=50, call=within(5.0))


async def test_what_a_call_has_done_is_not_held_against_it(guests):
    admission = guests.admission
    admission.pace.measure("encode", 1, 4.0)
    async with admission.place(Work({GRAPH: 50, "encode": 1}), within(6.0)) as place:
        with pytest.raises(OutOfTime):
            admission.check_in_time(place)
        admission.advance(place, "encode", 1)
        admission.check_in_time(place)


async def test_a_slow_reader_does_not_make_calls_look_slow(make):
    guests = make(max_inflight=8)
    admission = guests.admission
    async with admission.place(Work({GRAPH: 1}), Call()) as place, admission.away(place, 0.05):
        await asyncio.sleep(0.4)
    await guests.come("a", steps=1)
    await guests.come("b", steps=1, call=within(0.45))
    assert guests.inside == ["a", "b"]


async def test_who_is_away_again_and_again_loses_the_place_as_well(make):
    guests = make(max_inflight=1)
    admission = guests.admission
    async with admission.place(Work({GRAPH: 10}), Call()) as place:
        for _ in range(4):
            async with admission.away(place, 0.1):
                await asyncio.sleep(0.04)
                lost = admission.aside
        assert lost == 1


async def test_an_idle_server_tries_what_it_takes_to_be_hopeless_for_it_may_be_wrong(guests):
    await guests.come("a", steps=2000, call=within(1.0))
    assert guests.inside == ["a"]


async def test_a_call_at_work_that_could_not_be_in_time_even_alone_is_ended(guests):
    await guests.come("a", steps=2000, call=within(1.0))
    with pytest.raises(OutOfTime, match=r"takes 200\.0 s, .* in 1\.0 s; give it more time or fewer steps"):
        guests.admission.check_in_time(guests.places["a"])


async def test_a_call_at_work_that_the_others_make_late_is_ended_and_may_be_tried_again(make, pace):
    guests = make(max_inflight=8)
    await guests.come("a", steps=100)
    await guests.come("b", steps=10, call=within(3.0))
    guests.admission.check_in_time(guests.places["b"])
    for _ in range(100):
        pace.measure(GRAPH, 10, 20 * A_STEP)  # a neighbour takes half of the machine
    with pytest.raises(Overloaded) as caught:
        guests.admission.check_in_time(guests.places["b"])
    assert caught.value.reason == "DEADLINE_TOO_NEAR"


async def test_one_that_waits_until_it_is_too_late_is_sent_away_rather_than_let_in(make, pace):
    guests = make(max_inflight=2)
    await guests.come("a", steps=10)
    await guests.come("b", steps=10)
    await guests.come("c", steps=10, call=within(6.0))
    for _ in range(100):
        pace.measure(GRAPH, 10, 100 * A_STEP)
    guests._leave["a"].set()
    with pytest.raises(Overloaded):
        await guests.task("c")


async def test_the_backlog_is_the_work_outstanding_at_the_measured_pace(guests):
    admission = guests.admission
    assert admission.backlog_seconds() == 0
    async with admission.place(Work({GRAPH: 50, "other": 5}), Call()) as place:
        assert admission.backlog_seconds() == pytest.approx(5.0 + 5 * admission.pace.cost("other"))
        admission.advance(place, GRAPH, runs=20)
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
    # Both in the same turn of the loop: a leaves, so c is given its place, and c is cancelled.
    guests._leave["a"].set()
    while guests.admission.waiting == 2:
        await asyncio.sleep(0)
    await guests.cancel("c")
    assert guests.inside == ["b", "d"]
    await guests.go("b")
    await guests.go("d")
    assert guests.admission.inflight == 0


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
        async with admission.place(Work({GRAPH: 10}), Call()) as place:
            async with admission.away(place, 0.01):
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
    async with guests.admission.place(Work({GRAPH: 10}), Call()) as place:
        await guests.come("a")
        async with guests.admission.away(place, 5.0):
            await asyncio.sleep(0.01)
        assert (guests.inside, guests.admission.aside) == ([], 0)


async def test_those_set_aside_count_as_waiting_so_that_they_cannot_grow_without_bound(make):
    guests = make(max_inflight=1, max_queue=1)
    admission, never = guests.admission, asyncio.Event()

    async def wanderer():
        async with admission.place(Work({GRAPH: 10}), Call()) as place, admission.away(place, 0.0):
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
    guests.admission.close()
    with pytest.raises(NotReady):
        await guests.task("c")
    with pytest.raises(NotReady):
        await guests.come("d")
    assert guests.inside == ["a", "b"]
