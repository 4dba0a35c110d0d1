import copy

from relatent.playground.tabs.edit.turns import Turns


def test_a_new_turn_ends_the_one_before() -> None:
    turns = Turns()
    first = turns.begin()
    assert not first.is_replaced
    second = turns.begin()
    assert first.is_replaced
    assert not second.is_replaced


def test_the_newest_is_stopped_and_what_comes_after_it_is_not() -> None:
    turns = Turns()
    turns.stop()
    turn = turns.begin()
    assert not turn.is_stopped
    turns.stop()
    assert turn.is_stopped
    assert not turn.is_replaced
    assert not turns.begin().is_stopped


def test_each_visitors_turns_are_their_own() -> None:
    shared = Turns()
    one, other = copy.deepcopy(shared), copy.deepcopy(shared)
    turn = one.begin()
    other.begin()
    other.stop()
    assert not turn.is_replaced
    assert not turn.is_stopped
