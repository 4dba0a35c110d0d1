import pytest

from relatent_service.traffic.pace import INITIAL_SECONDS_A_RUN, STALE_SECONDS, Pace


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pace(clock):
    return Pace(clock)


def test_a_graph_that_was_not_measured_has_a_guess(pace):
    assert pace.cost("a") == INITIAL_SECONDS_A_RUN
    pace.measure("a", 10, 5.0)
    assert pace.cost("a") == 0.5
    assert pace.cost("b") == INITIAL_SECONDS_A_RUN


def test_calls_at_the_engine_together_are_charged_their_shares_and_the_time_between_is_nobodys(pace, clock):
    first = pace.enter()
    clock.now += 1
    second = pace.enter()
    clock.now += 2
    assert pace.leave(first) == pytest.approx(1 + 2 / 2)
    clock.now += 3
    assert pace.leave(second) == pytest.approx(2 / 2 + 3)
    clock.now += 50
    third = pace.enter()
    clock.now += 1
    assert pace.leave(third) == pytest.approx(1)


def test_a_short_chunk_in_long_company_hardly_changes_what_a_step_costs(pace):
    pace.measure("a", 10, 1.0)
    pace.measure("a", 1, 1.0)
    assert pace.cost("a") == pytest.approx(0.11, abs=0.001)


def test_what_had_to_be_given_up_makes_a_graph_dearer_never_cheaper(pace):
    pace.measure("a", 10, 1.0)
    pace.at_least("a", 10, 0.5)
    assert pace.cost("a") == 0.1
    pace.at_least("a", 10, 11.0)
    assert pace.cost("a") == pytest.approx(0.2)


def test_a_cost_goes_stale(pace, clock):
    assert pace.is_stale("a")
    pace.measure("a", 1, 1.0)
    assert not pace.is_stale("a")
    clock.now += STALE_SECONDS + 1
    assert pace.is_stale("a")


def test_a_short_chunk_in_long_company_hardly_changes_how_long_a_step_takes():
    """Else one call of a single step would make its neighbours, short of time, end early."""
    pace = Pace()
    pace.measure_chunk("a", 20, 1.0)
    pace.measure_chunk("a", 1, 1.0)
    assert pace.step_seconds("a") < 1.5 * 0.05
    for _ in range(20):
        pace.measure_chunk("a", 1, 0.1)
    assert pace.step_seconds("a") == pytest.approx(0.1, rel=0.02)


def test_chunks_and_answers_are_measured_by_graph_and_by_pack():
    pace = Pace()
    assert pace.step_seconds("a") == 0
    guess = pace.chunk_seconds("a"), pace.answer_seconds("tiny")
    pace.measure_chunk("a", 4, 2.0)
    assert (pace.chunk_seconds("a"), pace.step_seconds("a")) == (2.0, 0.5)
    pace.measure_chunk("a", 4, 4.0)
    assert 2.0 < pace.chunk_seconds("a") < 4.0
    assert 0.5 < pace.step_seconds("a") < 1.0
    pace.measure_answer("tiny", 0.5)
    assert (pace.chunk_seconds("b"), pace.answer_seconds("other")) == guess
    pace.answer_at_least("tiny", 0.25)
    assert pace.answer_seconds("tiny") == 0.5
    pace.answer_at_least("tiny", 1.5)
    assert 0.5 < pace.answer_seconds("tiny") < 1.5
