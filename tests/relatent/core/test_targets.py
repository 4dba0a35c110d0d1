"""A search moves codes until what is read off them is what was asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from relatent.core.attributes import Attribute
from relatent.core.controls import Controls
from relatent.core.targets import AttributePart, AttributeTarget, End, ReadingGoal, Search, SearchOutcome

Floats = NDArray[np.float32]
Read = Callable[[Floats], Floats]

ATTRIBUTES = tuple(Attribute(name, name, low=-1, high=1) for name in ("yaw", "smile", "age"))
CODE = (2, 8)
RANDOM = np.random.default_rng(5)
TRUE = RANDOM.normal(size=(3, *CODE)).astype(np.float32)
ROUGH = (TRUE + 0.3 * RANDOM.normal(size=TRUE.shape)).astype(np.float32)
"""What the pack knows of it: the direction, roughly."""
CONTROLS = Controls(ROUGH, (2.0, 2.0, 2.0), 1)


def read(codes: Floats) -> Floats:
    """Attributes that answer to codes and saturate."""
    return np.tanh(0.2 * np.einsum("nld,ald->na", codes, TRUE)).astype(np.float32)


def search(
    target: AttributeTarget, codes: Floats, reads: Read = read, controls: Controls = CONTROLS
) -> tuple[Floats, list[SearchOutcome]]:
    """The codes that a whole search ends with."""
    found = Search(ATTRIBUTES, controls, target, reads(codes))
    base = np.repeat(codes, len(found.active) // len(codes), axis=0)
    while found.active.any():
        found.learn(reads(base[found.active] + found.shifts()))
    return base + found.best, found.outcomes()


def codes(count: int = 4) -> Floats:
    return np.random.default_rng(8).normal(scale=0.4, size=(count, *CODE)).astype(np.float32)


def test_every_code_reaches_its_goal_and_what_is_held_stays() -> None:
    target = AttributeTarget((ReadingGoal(0, (0.5,), relative=False),), (1, 2))
    before = read(codes())
    edited, outcomes = search(target, codes())
    after = read(edited)
    np.testing.assert_allclose(after[:, 0], 0.5, atol=0.0205)
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=0.0205)
    assert {outcome.end for outcome in outcomes} == {End.REACHED}
    np.testing.assert_array_equal([outcome.reached for outcome in outcomes], after)
    assert all(1 <= outcome.rounds <= 8 for outcome in outcomes)


def test_a_change_is_counted_from_what_the_code_reads_now() -> None:
    before = read(codes())
    edited, _ = search(AttributeTarget((ReadingGoal(1, (0.3,), relative=True),), (0, 2)), codes())
    np.testing.assert_allclose(read(edited)[:, 1], before[:, 1] + 0.3, atol=0.0205)


def test_one_code_makes_a_strip_and_several_goals_are_reached_at_once() -> None:
    goals = (ReadingGoal(0, (-0.5, 0.0, 0.5), relative=False), ReadingGoal(2, (0.2,), relative=False))
    edited, outcomes = search(AttributeTarget(goals, (1,)), codes(1))
    np.testing.assert_allclose(read(edited)[:, 0], (-0.5, 0, 0.5), atol=0.0205)
    np.testing.assert_allclose(read(edited)[:, 2], 0.2, atol=0.0205)
    assert len(outcomes) == 3


def test_a_code_goes_its_own_way_whoever_shares_its_search() -> None:
    target = AttributeTarget((ReadingGoal(0, (0.5,), relative=False),), (1, 2))
    together, _ = search(target, codes())
    for place in range(4):
        alone, _ = search(target, codes()[place : place + 1])
        np.testing.assert_allclose(together[place], alone[0], rtol=1e-4, atol=1e-5)


def test_what_is_there_already_is_not_touched() -> None:
    own = float(read(codes(1))[0, 0])
    edited, (outcome,) = search(AttributeTarget((ReadingGoal(0, (own,), relative=False),), (1, 2)), codes(1))
    np.testing.assert_array_equal(edited, codes(1))
    assert (outcome.rounds, outcome.end) == (0, End.REACHED)


def test_a_goal_beyond_the_range_is_taken_to_its_end_and_said() -> None:
    _, (outcome,) = search(AttributeTarget((ReadingGoal(0, (3.0,), relative=False),), (1, 2)), codes(1))
    assert outcome.end is End.RANGE
    assert outcome.asked[0] == 3
    assert 0.9 < outcome.reached[0] <= 1.02


def test_a_search_that_comes_no_nearer_ends_with_its_best_and_says_so() -> None:
    """Two attributes that are one cannot be had apart."""

    def both(some: Floats) -> Floats:
        values = read(some)
        values[:, 1] = values[:, 0]
        return values

    before = both(codes(1))[0]
    edited, (outcome,) = search(
        AttributeTarget((ReadingGoal(0, (0.6,), relative=True),), (1, 2)), codes(1), both
    )
    assert outcome.end in (End.STALLED, End.ROUNDS)
    np.testing.assert_array_equal(outcome.reached, both(edited)[0])
    miss = np.abs(outcome.reached - outcome.asked).max()
    assert miss < np.abs(before - outcome.asked).max()


def test_nothing_is_worse_than_before_where_readings_stop_being_numbers() -> None:
    def breaks(some: Floats) -> Floats:
        values = read(some)
        values[np.abs(some - codes(1)).max((1, 2)) > 0] = np.nan
        return values

    edited, (outcome,) = search(
        AttributeTarget((ReadingGoal(0, (0.5,), relative=False),), ()), codes(1), breaks
    )
    np.testing.assert_array_equal(edited, codes(1))
    assert outcome.end is End.STALLED
    assert np.isfinite(outcome.reached).all()


def test_an_attribute_that_answers_to_nothing_ends_the_search() -> None:
    dead = Controls(np.zeros_like(ROUGH), (2.0, 2.0, 2.0), 1)
    edited, (outcome,) = search(
        AttributeTarget((ReadingGoal(0, (0.5,), relative=False),), (1,)), codes(1), controls=dead
    )
    np.testing.assert_array_equal(edited, codes(1))
    assert outcome.end is End.STALLED


def test_rounds_are_counted_and_end_it() -> None:
    target = AttributeTarget((ReadingGoal(0, (0.9,), relative=False),), (1, 2), tolerance=1e-6, max_rounds=2)
    _, (outcome,) = search(target, codes(1))
    assert (outcome.rounds, outcome.end) == (2, End.ROUNDS)


def test_a_search_interrupted_tells_why_of_those_that_were_still_active() -> None:
    target = AttributeTarget((ReadingGoal(0, (0.5,), relative=False),), (1, 2))
    found = Search(ATTRIBUTES, CONTROLS, target, read(codes(1)))
    assert [outcome.end for outcome in found.outcomes(End.DEADLINE)] == [End.DEADLINE]


@pytest.mark.parametrize(("place", "part"), list(enumerate(AttributePart)))
def test_an_attribute_is_asked_held_or_free(place: int, part: AttributePart) -> None:
    target = AttributeTarget((ReadingGoal(0, (0.5,), relative=False),), (1,))
    assert target.part(place) is part
