import pytest

from relatent_service.traffic.sharing import Shares, wait_for_slot


@pytest.mark.parametrize(
    ("needs", "own", "taken"),
    [([], 3.0, 0.0), ([1.0, 5.0], 3.0, 4.0), ([3.0, 3.0], 3.0, 6.0), ([2.0, 4.0], 0.0, 0.0)],
)
def test_each_of_the_others_takes_as_much_as_one_does_or_what_is_left_of_it(needs, own, taken):
    shares = Shares(needs)
    assert shares.taken_beside(own) == pytest.approx(taken) == sum(min(own, need) for need in needs)


def test_a_place_is_free_when_the_shortest_has_ended_beside_the_others():
    assert wait_for_slot([3.0, 1.0], []) == pytest.approx(2.0)


def test_where_nobody_is_at_work_a_place_is_free_now():
    assert wait_for_slot([], []) == wait_for_slot([], [1.0]) == 0.0


def test_who_waits_before_takes_the_places_that_become_free():
    assert wait_for_slot([3.0, 1.0], [1.0, 4.0]) == pytest.approx(6.0)


def test_nobody_waits_for_longer_than_all_that_is_ahead_takes():
    # Of two slots one is taken for long: the short ones share with it, one after the other.
    assert wait_for_slot([0.1, 5.0], [0.1] * 10) == pytest.approx(2.2)
    assert wait_for_slot([0.1, 0.2], [0.1, 3.0]) == pytest.approx(0.4)
