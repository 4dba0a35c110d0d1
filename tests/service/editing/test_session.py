"""The place where a session's newest change waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from relatent_service.editing.session import NewestChange, NumberNotRising


class Place(NewestChange[str]):
    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.dropped = 0
        super().__init__(self._count, clock)

    def _count(self) -> None:
        self.dropped += 1


@pytest.mark.parametrize("count", [1, 2, 1000])
async def test_the_newest_of_any_number_is_taken_and_the_others_are_counted(count: int) -> None:
    place = Place()
    for number in range(1, count + 1):
        place.put(number, f"change {number}")
    taken = await place.take()
    assert taken is not None
    assert (taken.number, taken.asked, taken.dropped) == (count, f"change {count}", count - 1)
    assert place.dropped == count - 1


async def test_what_was_dropped_is_told_once() -> None:
    place = Place()
    told = []
    for numbers in ((1, 2, 3), (7,), (8, 30)):
        for number in numbers:
            place.put(number, "")
        taken = await place.take()
        assert taken is not None
        told.append((taken.number, taken.dropped))
    assert told == [(3, 2), (7, 0), (30, 1)]


async def test_a_change_knows_when_it_came() -> None:
    times = iter([5.0, 7.0])
    place = Place(lambda: next(times))
    place.put(1, "")
    place.put(2, "")
    taken = await place.take()
    assert taken is not None
    assert taken.came == 7.0


async def test_whoever_takes_before_a_change_comes_gets_it_when_it_does() -> None:
    place = Place()
    taking = asyncio.create_task(place.take())
    await asyncio.sleep(0)
    assert not taking.done()
    place.put(1, "late")
    taken = await asyncio.wait_for(taking, 5)
    assert taken is not None
    assert taken.asked == "late"


async def test_the_last_change_is_taken_before_the_end() -> None:
    place = Place()
    place.put(1, "first")
    place.put(2, "last")
    place.end()
    taken = await place.take()
    assert taken is not None
    assert taken.asked == "last"
    assert await place.take() is None
    assert await place.take() is None


async def test_the_end_wakes_who_takes() -> None:
    place = Place()
    taking = asyncio.create_task(place.take())
    await asyncio.sleep(0)
    place.end()
    assert await asyncio.wait_for(taking, 5) is None


async def test_a_failure_wakes_who_takes_and_comes_before_what_waits() -> None:
    place = Place()
    taking = asyncio.create_task(place.take())
    await asyncio.sleep(0)
    place.fail(LookupError("gone"))
    place.put(1, "")
    place.fail(ValueError("later"))
    place.end()
    for _ in range(2):
        with pytest.raises(LookupError, match="gone"):
            await place.take()
    with pytest.raises(LookupError, match="gone"):
        await taking


@pytest.mark.parametrize(("numbers", "before"), [((0,), 0), ((1, 1), 1), ((4, 3), 4)])
async def test_numbers_rise_from_one(numbers: tuple[int, ...], before: int) -> None:
    place = Place()
    for number in numbers[:-1]:
        place.put(number, "")
        await place.take()
    with pytest.raises(NumberNotRising) as caught:
        place.put(numbers[-1], "")
    assert caught.value.before == before
