"""Who does the work of equal calls, and who waits for it; in virtual time."""

import asyncio

import pytest

from relatent_service.caching.flights import Flights
from relatent_service.errors import InvalidField, OutOfTime
from tests.fixtures.virtual_time import run_in_virtual_time


class Callers:
    """Calls that each take some seconds to find something, and note when they began and ended."""

    def __init__(self, most_waiting=10):
        self.flights = Flights[str](most_waiting, (InvalidField,))
        self.worked = []

    def call(self, name, seconds=1.0, *, key="same", timeout=None, error=None):
        return asyncio.create_task(self._call(name, seconds, key, timeout, error))

    async def _call(self, name, seconds, key, timeout, error):
        async with self.flights.seat(key, timeout) as seat:
            if seat.found is not None:
                return f"{seat.found} at {now():g}"
            self.worked.append((name, now()))
            await asyncio.sleep(seconds)
            if error is not None:
                raise error
            seat.land(f"from {name}")
            return f"own at {now():g}"


def now():
    return asyncio.get_running_loop().time()


async def ends(*tasks):
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_equal_calls_do_the_work_once_and_others_do_their_own():
    async def story():
        callers = Callers()
        found = await ends(*(callers.call(name) for name in "abc"), callers.call("d", 2.0, key="other"))
        assert found == ["own at 1", "from a at 1", "from a at 1", "own at 2"]
        assert callers.worked == [("a", 0.0), ("d", 0.0)]
        assert callers.flights.under_way == {}
        assert await callers.call("e") == "own at 3", "nobody is under way any more"

    run_in_virtual_time(story())


def test_where_the_leader_hangs_up_the_next_takes_over_and_the_others_wait_for_it():
    async def story():
        callers = Callers()
        leader, *others = [callers.call(name) for name in "abc"]
        await asyncio.sleep(0.5)
        leader.cancel()
        assert await ends(*others) == ["own at 1.5", "from b at 1.5"]
        assert callers.worked == [("a", 0.0), ("b", 0.5)]

    run_in_virtual_time(story())


def test_where_the_leader_fails_the_next_takes_over():
    async def story():
        callers = Callers()
        failure = OSError("the leader's own")
        first = callers.call("a", error=failure)
        found = await ends(first, *(callers.call(name) for name in "bc"))
        assert found == [failure, "own at 2", "from b at 2"]

    run_in_virtual_time(story())


def test_a_fault_that_all_share_is_not_waited_for_one_after_the_other():
    async def story():
        callers = Callers()
        faults = [InvalidField("image", "broken") for _ in "abc"]
        calls = [callers.call(name, error=fault) for name, fault in zip("abc", faults, strict=True)]
        assert await ends(*calls) == faults
        assert callers.worked == [("a", 0.0), ("b", 1.0), ("c", 1.0)]
        assert callers.flights.under_way == {}

    run_in_virtual_time(story())


def test_one_whose_time_is_up_stops_waiting_and_leaves_the_others_alone():
    async def story():
        callers = Callers()
        leader, hasty, patient = (
            callers.call("a", 3.0),
            callers.call("b", timeout=1.0),
            callers.call("c", timeout=4.0),
        )
        with pytest.raises(OutOfTime, match="another call inverts the same"):
            await hasty
        assert now() == 1.0
        assert await ends(leader, patient) == ["own at 3", "from a at 3"]

    run_in_virtual_time(story())


def test_one_that_hangs_up_just_as_it_is_to_lead_hands_the_lead_on():
    async def story():
        callers = Callers()
        first, second, third = (callers.call(name) for name in "abc")
        await asyncio.sleep(0.5)
        first.cancel()
        await asyncio.sleep(0)  # the first has told the second, which has not heard of it yet
        second.cancel()
        assert await ends(third) == ["own at 1.5"]
        assert callers.worked == [("a", 0.0), ("c", 0.5)]
        assert callers.flights.under_way == {}

    run_in_virtual_time(story())


def test_one_that_hung_up_before_is_passed_over():
    async def story():
        callers = Callers()
        first, second, third = (callers.call(name) for name in "abc")
        await asyncio.sleep(0.25)
        second.cancel()
        await asyncio.sleep(0.25)
        first.cancel()
        assert await ends(third) == ["own at 1.5"]

    run_in_virtual_time(story())


def test_a_leader_that_gives_up_its_lead_goes_on_alone():
    async def story():
        callers = Callers()

        async def slow_reader():
            async with callers.flights.seat("same", None) as seat:
                await asyncio.sleep(1.0)
                seat.pass_on()
                await asyncio.sleep(5.0)
                seat.land("too late for anybody")

        first = asyncio.create_task(slow_reader())
        await asyncio.sleep(0)
        assert await ends(callers.call("b"), callers.call("c")) == ["own at 2", "from b at 2"]
        await first
        assert callers.flights.under_way == {}

    run_in_virtual_time(story())


def test_more_than_may_wait_go_alone():
    async def story():
        callers = Callers(most_waiting=1)
        assert await ends(*(callers.call(name) for name in "abc")) == ["own at 1", "from a at 1", "own at 1"]
        assert callers.worked == [("a", 0.0), ("c", 0.0)]

    run_in_virtual_time(story())
