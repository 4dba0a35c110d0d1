from __future__ import annotations

import pytest

from relatent_service.engine.core_times import LATE_SECONDS, SHORT_SECONDS, WORTH, CoreTimes

LONG = 10 * SHORT_SECONDS


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def times(clock: list[float]) -> CoreTimes:
    return CoreTimes(2, lambda: clock[0])


def test_all_cores_are_tried_first_as_nothing_is_known(times: CoreTimes) -> None:
    assert times.are_all_worth(1, 1)


@pytest.mark.parametrize(("part", "worth"), [(WORTH - 0.05, True), (WORTH + 0.05, False)])
def test_all_cores_are_worth_it_where_they_are_sooner_done_than_one(
    times: CoreTimes, part: float, worth: bool
) -> None:
    times.by_one(10, 10 * LONG)
    times.by_all(10, 10 * part * LONG)
    assert times.are_all_worth(1, 10) is worth


def test_where_none_was_measured_by_itself_it_takes_no_longer_than_their_time_together(
    times: CoreTimes,
) -> None:
    times.by_all(1, LONG)
    assert times.are_all_worth(1, 1)
    assert not times.are_all_worth(2, 2)


def test_what_all_cores_took_holds_for_a_while(times: CoreTimes, clock: list[float]) -> None:
    times.by_one(1, LONG)
    times.by_all(1, 3 * LONG)
    assert not times.are_all_worth(1, 1)
    clock[0] += LATE_SECONDS
    assert times.are_all_worth(1, 1)
    times.by_all(1, LONG / 2)
    assert times.are_all_worth(1, 1)  # of what was measured before nothing is left


def test_within_that_while_one_quick_run_among_slow_ones_changes_nothing(times: CoreTimes) -> None:
    times.by_one(1, LONG)
    times.by_all(1, 3 * LONG)
    times.by_all(1, LONG / 2)
    assert not times.are_all_worth(1, 1)


def test_of_a_chunk_of_no_steps_nothing_is_learnt(times: CoreTimes) -> None:
    times.by_one(0, LONG)
    times.by_all(0, LONG)
    assert times.are_all_worth(1, 1)


def test_a_short_sample_is_left_to_one_core_and_many_short_steps_are_not(times: CoreTimes) -> None:
    times.by_one(1, SHORT_SECONDS)
    assert not times.are_all_worth(1, 1)
    assert times.are_all_worth(1, 2)
