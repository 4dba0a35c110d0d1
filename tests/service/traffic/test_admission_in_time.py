"""Who is let in, refused and ended, by deadlines. A step costs a tenth of a second of the engine's time."""

import asyncio

import pytest

from relatent_service.errors import OutOfTime, Overloaded
from relatent_service.traffic import entry
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Work
from tests.fixtures.guests import GRAPH, within


async def test_a_call_that_would_be_answered_too_late_is_refused_at_once_though_there_is_a_place(make):
    guests = make(max_inflight=8)
    await guests.come("a", steps=30)
    # Beside it, ten steps of its own take two seconds; held against the deadline with some caution.
    await guests.come("b", steps=10, call=within(2.7))
    with pytest.raises(Overloaded) as caught:
        await guests.come("c", steps=10, call=within(2.7))
    assert caught.value.reason == "DEADLINE_TOO_NEAR"
    assert caught.value.retry_seconds == pytest.approx(4.0), "then a and b are done"
    assert "may take 3.6 s" in caught.value.message
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
    outlook = guests.admission.would_meet(Work({GRAPH: 10}), Call())
    assert outlook.wait_seconds == pytest.approx(2.0)  # b ends first, at half the pace
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
    guests.admission.advance(guests.slots["a"], GRAPH, 7)
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
    guests.admission.check_in_time(guests.slots["b"])


async def test_what_such_a_call_would_meet_is_an_answer_to_all_that_its_time_allows_after_its_wait(make):
    guests = make(max_inflight=1, max_queue=8)
    for name in "ab":
        await guests.come(name, steps=50)
    work = Work({GRAPH: 100}, {GRAPH: 1})
    outlook = guests.admission.would_meet(work, within(1000.0))
    assert outlook.wait_seconds == pytest.approx(10.0)
    assert outlook.answer_seconds == pytest.approx(20.0, abs=0.1)
    assert guests.admission.would_meet(work, within(15.0)).answer_seconds == pytest.approx(15.0, abs=1.0)


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
    monkeypatch.setattr(entry, "PASSING_SECONDS", -1.0)
    with pytest.raises(Overloaded):
        await guests.come("d", steps=1, call=within(5.0))


async def test_one_behind_more_than_are_looked_at_waits_and_finds_the_queue_full_like_any_other(make):
    guests = make(max_inflight=32, max_queue=entry.LOOKED_AT)
    await guests.come("a", steps=500, call=within(70.0))
    for number in range(entry.LOOKED_AT):
        await guests.come(f"b{number}", steps=1000)
    assert guests.admission.waiting == entry.LOOKED_AT
    with pytest.raises(Overloaded) as caught:
        await guests.come("c", steps=1)
    assert caught.value.reason == "QUEUE_FULL"


async def test_what_a_call_has_done_is_not_held_against_it(guests):
    admission = guests.admission
    admission.pace.measure("encode", 1, 4.0)
    async with admission.slot(Work({GRAPH: 50, "encode": 1}), within(6.0)) as slot:
        with pytest.raises(OutOfTime):
            admission.check_in_time(slot)
        admission.advance(slot, "encode", 1)
        admission.check_in_time(slot)


async def test_an_idle_server_tries_what_it_takes_to_be_hopeless_for_it_may_be_wrong(guests):
    await guests.come("a", steps=2000, call=within(1.0))
    assert guests.inside == ["a"]


async def test_a_call_at_work_that_could_not_be_in_time_even_alone_is_ended(guests):
    await guests.come("a", steps=2000, call=within(1.0))
    with pytest.raises(OutOfTime, match=r"takes 200\.0 s, .* in 1\.0 s; give it more time or fewer steps"):
        guests.admission.check_in_time(guests.slots["a"])


async def test_a_call_at_work_that_the_others_make_late_is_ended_and_may_be_tried_again(make, pace):
    guests = make(max_inflight=8)
    await guests.come("a", steps=100)
    await guests.come("b", steps=10, call=within(3.0))
    guests.admission.check_in_time(guests.slots["b"])
    for _ in range(100):
        pace.measure(GRAPH, 10, 2.0)  # a neighbour takes half of the machine
    with pytest.raises(Overloaded) as caught:
        guests.admission.check_in_time(guests.slots["b"])
    assert caught.value.reason == "DEADLINE_TOO_NEAR"


async def test_one_that_waits_until_it_is_too_late_is_sent_away_rather_than_let_in(make, pace):
    guests = make(max_inflight=2)
    await guests.come("a", steps=10)
    await guests.come("b", steps=10)
    await guests.come("c", steps=10, call=within(6.0))
    for _ in range(100):
        pace.measure(GRAPH, 10, 10.0)
    guests._leave["a"].set()
    with pytest.raises(Overloaded):
        await guests.task("c")
