import time

import numpy as np
import pytest

from relatent.core.stopping import Plateau, StopReason
from relatent_service.inversion.stopping import (
    StopRules,
    reached,
    steps_in_time,
    time_limit,
)
from relatent_service.traffic.call import Call


def losses(*values):
    return np.array(values, np.float32)


def test_steps_end_it():
    rules = StopRules(steps=3)
    assert reached(rules, losses(3, 2)) is None
    assert reached(rules, losses(3, 2, 1)) is StopReason.STEPS
    assert reached(StopRules(steps=0), losses()) is StopReason.STEPS


def test_the_target_ends_it_even_if_the_latest_loss_is_above():
    rules = StopRules(steps=9, target_loss=1.0)
    assert reached(rules, losses(3, 1.5)) is None
    assert reached(rules, losses(3, 1.0, 1.2)) is StopReason.TARGET_LOSS
    assert reached(rules, losses()) is None


@pytest.mark.parametrize(
    ("curve", "ended"),
    [
        ((10, 9, 8), False),  # the window is not full
        ((10, 9, 8, 7), False),
        ((10, 9, 8.95, 8.99), False),  # 10 % over the window
        ((10, 9.95, 9.93, 9.92), True),
        ((10, 11, 12, 13), True),
        ((10, 9.95, 9.93, 5), False),
        ((0, 0, 0, 0), True),
    ],
)
def test_a_plateau_is_too_little_of_a_fall_over_the_window(curve, ended):
    rules = StopRules(steps=99, plateau=Plateau(steps=3, min_improvement=0.05))
    assert (reached(rules, losses(*curve)) is StopReason.PLATEAU) is ended


def test_the_earlier_of_budget_and_deadline_is_the_limit():
    now = time.monotonic()
    call = Call(deadline=now + 10, arrived=now)
    assert time_limit(StopRules(steps=1), call, 1) is None
    assert time_limit(StopRules(steps=1, time_budget=3), call, 1) == (now + 3, StopReason.TIME_BUDGET)
    both = StopRules(steps=1, time_budget=30, best_at_deadline=True)
    assert time_limit(both, call, 1) == (now + 9, StopReason.DEADLINE)
    assert time_limit(StopRules(steps=1, best_at_deadline=True), Call(), 1) is None


def test_only_steps_that_fit_in_are_begun():
    now = time.monotonic()
    assert steps_in_time(now + 1, 0.01, 10, first=False) == 10
    assert steps_in_time(now + 1, 0.3, 10, first=False) == 3
    assert steps_in_time(now + 1, 5, 10, first=False) == 0
    assert steps_in_time(now + 1, 5, 10, first=True) == 1
    assert steps_in_time(now - 1, 0.01, 10, first=True) == 0
