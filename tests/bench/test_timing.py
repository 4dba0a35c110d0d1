import pytest

from bench.timing import by_turns, ratios, significant, spread


def test_spread_is_median_and_quartiles() -> None:
    assert spread([5.0, 1.0, 3.0, 2.0, 4.0]).as_json() == {"median": 3.0, "low": 2.0, "high": 4.0, "count": 5}


def test_figures_are_rounded_to_what_is_worth_printing() -> None:
    assert significant(1234567.0) == 1235000.0
    assert significant(0.000123456) == 0.0001235


def test_every_second_round_goes_the_other_way_round() -> None:
    calls: list[str] = []
    taken = by_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    warm_up, rounds = calls[:2], calls[2:]
    assert warm_up == ["a", "b"]
    assert rounds == ["a", "b", "b", "a", "a", "b"]
    assert {name: len(times) for name, times in taken.items()} == {"a": 3, "b": 3}


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]


def test_ratios_of_unequal_numbers_of_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])
