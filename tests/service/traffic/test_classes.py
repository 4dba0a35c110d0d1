"""Slots and forecasts of two classes. A step costs a tenth of a second of the engine's time."""

import asyncio

import pytest

from relatent.core.traffic import TrafficClass
from relatent_service.errors import Overloaded
from relatent_service.traffic import entry
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Work
from tests.fixtures.guests import GRAPH, within

BULK = TrafficClass.BULK


def bulk(seconds=None):
    call = Call() if seconds is None else within(seconds)
    call.traffic_class = BULK
    return call


async def come(guests, names, call=bulk, steps=10):
    for name in names:
        await guests.come(name, steps, call())


async def test_interactive_calls_get_their_places_before_bulk_ones_that_came_first(guests):
    await come(guests, "ab", Call)
    await guests.come("c", call=bulk())
    await guests.come("d")
    await guests.go("a")
    assert guests.inside == ["b", "d"]
    await guests.go("b")
    assert guests.inside == ["d", "c"]


async def test_bulk_calls_leave_places_to_interactive_ones(make):
    guests = make(max_inflight=8, max_queue=8)
    await come(guests, "abcdefgh")
    assert (guests.admission.inflight_of(BULK), guests.admission.waiting_of(BULK)) == (6, 2)
    await come(guests, "xy", Call)
    assert guests.inside == [*"abcdefxy"]
    await guests.come("z")
    assert "z" not in guests.inside, "all places are taken"
    await guests.go("a")
    assert "z" in guests.inside


async def test_bulk_calls_leave_room_in_the_queue_to_interactive_ones(make):
    guests = make(max_inflight=1, max_queue=4)
    await come(guests, "abcd")
    with pytest.raises(
        Overloaded, match=r"1 calls at work and 3 waiting, the most .* of bulk ones"
    ) as caught:
        await guests.come("e", call=bulk())
    assert caught.value.reason == "QUEUE_FULL"
    await guests.come("x")
    with pytest.raises(Overloaded, match=r"4 waiting, the most .* of interactive ones"):
        await guests.come("y")


async def test_where_no_bulk_call_has_a_place_one_gets_the_next_that_there_is(guests):
    await come(guests, "abcd", Call)
    share = guests.admission.share
    guests.admission._roster.waiting[TrafficClass.INTERACTIVE].pop()  # room in a queue of two
    await guests.come("x", call=bulk())
    with share.at_engine(guests.slots["a"].call):
        await asyncio.sleep(0.01)
    await guests.go("a")
    assert guests.inside == ["b", "x"], "before c, which came first and is interactive"
    await guests.go("b")
    assert guests.inside == ["x", "c"]


async def test_a_bulk_call_that_had_its_share_lets_interactive_ones_go_first(make):
    guests = make(max_inflight=1, max_queue=8)
    await come(guests, "ab")
    await come(guests, "xy", Call)
    with guests.admission.share.at_engine(guests.slots["a"].call):
        await asyncio.sleep(0.01)
    await guests.go("a")
    assert guests.inside == ["x"]
    await guests.go("x")
    assert guests.inside == ["y"]
    await guests.go("y")
    assert guests.inside == ["b"]


async def test_an_interactive_call_is_held_against_no_more_than_the_share_of_bulk_ones(make):
    guests = make(max_inflight=16)
    await come(guests, "abcdefgh", steps=1000)
    with pytest.raises(Overloaded):  # a second of its own, a quarter of theirs; and some caution
        await guests.come("x", call=within(1.5))
    await guests.come("y", call=within(1.65))
    assert "y" in guests.inside
    guests.admission.check_in_time(guests.slots["y"])


async def test_a_bulk_call_is_held_against_all_that_there_is(make):
    guests = make(max_inflight=8)
    await guests.come("a", steps=30)
    await guests.come("b", call=bulk())
    # Three seconds of a, and one each of b and its own.
    with pytest.raises(Overloaded) as caught:
        await guests.come("c", call=bulk(6.0))
    assert caught.value.retry_seconds == pytest.approx(4.0)
    await guests.come("d", call=bulk(6.6))
    assert guests.inside == ["a", "b", "d"]


async def test_a_bulk_call_is_held_against_the_interactive_ones_that_came_of_late(make, monkeypatch):
    guests = make(max_inflight=8)
    await guests.come("a", steps=1)
    monkeypatch.setattr(guests.admission.share._account, "_load", 0.8)
    with pytest.raises(Overloaded):
        await guests.come("b", call=bulk(8.0))
    await guests.come("c", call=bulk(9.5))
    assert guests.inside == ["a", "c"]


async def test_a_bulk_call_waits_for_an_interactive_ones_place_no_longer_than_that_takes(make, monkeypatch):
    guests = make(max_inflight=4)
    await come(guests, "abcd", Call, steps=50)
    monkeypatch.setattr(guests.admission.share._account, "_load", 1.0)
    # All four are done in 20 s; then it takes a fifth of the engine at least, and some caution: 34 s.
    outlook = guests.admission.would_meet(Work({GRAPH: 10}), bulk())
    assert outlook.wait_seconds == pytest.approx(20.0)
    with pytest.raises(Overloaded):
        await guests.come("x", call=bulk(30.0))
    await guests.come("y", call=bulk(40.0))
    assert guests.admission.waiting_of(BULK) == 1


async def test_an_interactive_call_waits_for_no_bulk_ones_sake(make):
    guests = make(max_inflight=8)
    await guests.come("a", steps=10, call=bulk(1.3))
    await guests.come("b", steps=10, call=bulk(60))
    assert guests.inside == ["a"], "beside another bulk call it would be late"
    await guests.come("x", steps=10, call=within(60))
    assert "x" in guests.inside


async def test_a_bulk_call_that_would_make_an_interactive_one_late_waits_but_not_for_ever(make, monkeypatch):
    guests = make(max_inflight=8)
    await guests.come("x", steps=10, call=within(1.5))
    await guests.come("a", call=bulk())
    assert (guests.inside, guests.admission.waiting_of(BULK)) == (["x"], 1)
    monkeypatch.setattr(entry, "PASSING_SECONDS", -1.0)
    guests.admission.advance(guests.slots["x"], GRAPH, 0)
    await asyncio.sleep(0)
    assert guests.inside == ["x", "a"]


async def test_an_interactive_call_is_held_against_bulk_ones_that_wait_too_for_one_follows_on_another(guests):
    await guests.come("a", steps=1, call=bulk())
    await guests.come("b", steps=1000, call=bulk())
    assert (guests.inside, guests.admission.waiting_of(BULK)) == (["a"], 1)
    with pytest.raises(Overloaded):
        await guests.come("x", call=within(1.5))
    await guests.come("y", call=within(1.65))
    assert guests.inside == ["a", "y"]


async def test_a_newcomer_of_each_class_hears_how_long_its_own_would_wait(make):
    guests = make(max_inflight=4)

    def wait(call):
        return guests.admission.would_meet(Work({GRAPH: 10}), call).wait_seconds

    await come(guests, "abc")
    assert wait(Call()) == 0
    assert wait(bulk()) == pytest.approx(3.0)
    await guests.come("x", steps=20)
    # Beside x, which takes the whole engine but for their share, for as long as it is there.
    assert wait(bulk()) == pytest.approx(5.0)
    assert wait(Call()) == pytest.approx(2.5)
