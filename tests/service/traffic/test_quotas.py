"""What a key may have, in a time that passes as a test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relatent.core.access_keys import Quota
from relatent_service.access.caller import ANYBODY, CALLER, Caller
from relatent_service.errors import CallsQuotaUsed, OverWholeQuota, StepsQuotaUsed
from relatent_service.traffic.call import Call
from relatent_service.traffic.quotas import MAX_RETRY_SECONDS, MINUTE, Balance, Quotas


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """Quotas, their clock, and what they said was done."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.done: dict[str, int] = {}
        self.quotas = Quotas(self._count, self.clock)

    def _count(self, name: str, steps: int) -> None:
        self.done[name] = self.done.get(name, 0) + steps

    @contextmanager
    def caller(self, name: str = "a", steps: int | None = None, calls: int | None = None) -> Iterator[None]:
        """The caller at hand, with a key of this quota."""
        caller = Caller(name, quota=Quota(steps, calls))
        token = CALLER.set(caller)
        self.quotas.follow(caller)
        try:
            yield
        finally:
            CALLER.reset(token)

    def use(self, steps: int, done: int | None = None) -> None:
        """A call that takes so many, and does them all unless told otherwise."""
        call = Call()
        settle = self.quotas.take(steps, call)
        call.steps += steps if done is None else done
        settle()

    def steps_left(self) -> int | None:
        left = self.quotas.left()
        assert left is not None
        return left.steps


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_minutes_worth_may_be_had_at_once_and_then_as_much_as_a_minute_gives(desk: Desk) -> None:
    with desk.caller(steps=600):
        desk.use(600)
        assert desk.steps_left() == 0
        desk.clock.now += 6
        assert desk.steps_left() == 60
        desk.use(60)
        with pytest.raises(StepsQuotaUsed) as caught:
            desk.use(10)
        assert caught.value.retry_seconds == pytest.approx(1.0, abs=0.01)
        assert "10 steps" in caught.value.message
        assert "'a' has 0 left of 600 a minute" in caught.value.message
        desk.clock.now += 3600
        assert desk.steps_left() == 600
    assert desk.done == {"a": 660}


def test_what_was_not_done_is_given_back(desk: Desk) -> None:
    with desk.caller(steps=100):
        call = Call()
        settle = desk.quotas.take(100, call)
        assert desk.steps_left() == 0
        call.steps += 30
        settle()
        assert desk.steps_left() == 70
        desk.use(70, done=0)
        assert desk.steps_left() == 70
    assert desk.done == {"a": 30}


def test_what_was_done_beyond_what_was_asked_counts_too(desk: Desk) -> None:
    with desk.caller(steps=100):
        desk.use(90, done=110)
        with pytest.raises(StepsQuotaUsed) as caught:
            desk.use(30)
        assert caught.value.retry_seconds == pytest.approx(40 * MINUTE / 100, abs=0.01)


def test_only_what_a_call_does_of_its_own_is_counted_where_it_takes_twice(desk: Desk) -> None:
    with desk.caller(steps=100):
        call = Call()
        for steps in (20, 5):
            settle = desk.quotas.take(steps, call)
            call.steps += steps
            settle()
        assert desk.steps_left() == 75


def test_more_than_a_whole_minute_never_fits_and_nothing_says_to_come_again(desk: Desk) -> None:
    with desk.caller(steps=100):
        desk.use(100)
        with pytest.raises(OverWholeQuota, match="asks for 101 steps, and the API key 'a' may have 100"):
            desk.quotas.check(101)


def test_keys_do_not_disturb_each_other_and_no_key_has_no_quota(desk: Desk) -> None:
    with desk.caller("a", steps=10, calls=1), desk.quotas.call():
        desk.use(10)
        with desk.caller("b", steps=10, calls=1), desk.quotas.call():
            desk.use(10)
        with desk.caller("unlimited"), desk.quotas.call(), desk.quotas.call():
            desk.use(10**9)
            assert desk.quotas.left() is None
    token = CALLER.set(ANYBODY)
    desk.use(10**9)
    CALLER.reset(token)
    assert desk.done == {"a": 10, "b": 10, "unlimited": 10**9}


def test_a_quota_that_changes_holds_at_once_and_leaves_what_was_used(desk: Desk) -> None:
    with desk.caller(steps=100):
        desk.use(80)
    with desk.caller(steps=1000):
        assert desk.steps_left() == 920
    with desk.caller(steps=50):
        assert desk.steps_left() == 0
        with pytest.raises(StepsQuotaUsed) as caught:
            desk.quotas.check(20)
        assert caught.value.retry_seconds == pytest.approx(50 * MINUTE / 50, abs=0.01)


def test_a_call_gives_back_only_what_it_took_however_the_quota_changed_meanwhile(desk: Desk) -> None:
    call, later = Call(), Call()
    with desk.caller():
        settle = desk.quotas.take(1000, call)
    with desk.caller(steps=100):
        desk.use(80)
        call.steps += 30
        settle()
        assert desk.steps_left() == 20, "the first call took nothing of it"
        settle = desk.quotas.take(20, later)
    with desk.caller():
        settle()
    with desk.caller(steps=100):
        assert desk.steps_left() == 20
    assert desk.done == {"a": 110}


def test_calls_in_flight_are_counted_with_a_quota_and_before_there_is_one(desk: Desk) -> None:
    with desk.caller(), ExitStack() as flights:
        for _ in range(2):
            flights.enter_context(desk.quotas.call())
        with desk.caller(calls=3):
            assert desk.quotas.left() == Balance(None, 1)
            with desk.quotas.call(), pytest.raises(CallsQuotaUsed, match="3 calls in flight, and may have 3"):
                desk.quotas.check_call()
            desk.quotas.check_call()


def test_a_call_that_fails_is_in_flight_no_more(desk: Desk) -> None:
    with desk.caller(calls=1):
        with pytest.raises(KeyError), desk.quotas.call():
            raise KeyError
        with desk.quotas.call():
            pass


def test_when_to_come_again_is_told_of_the_keys_own_calls(desk: Desk) -> None:
    def told() -> float:
        with pytest.raises(CallsQuotaUsed) as caught:
            desk.quotas.check_call()
        return caught.value.retry_seconds

    with desk.caller(calls=1):
        with desk.quotas.call():
            desk.clock.now += 10
        with desk.quotas.call():
            assert told() == pytest.approx(10)
            desk.clock.now += 4
            assert told() == pytest.approx(6)
            desk.clock.now += 16  # longer than its like: who knows
            assert told() == pytest.approx(20)
            desk.clock.now += 3600
            assert told() == MAX_RETRY_SECONDS


def test_how_long_sessions_last_tells_nothing_of_calls(desk: Desk) -> None:
    with desk.caller(calls=1):
        with desk.quotas.call():
            desk.clock.now += 2
        with desk.quotas.call(lasts=True):
            desk.clock.now += 3600
        with desk.quotas.call(), pytest.raises(CallsQuotaUsed) as caught:
            desk.quotas.check_call()
    assert caught.value.retry_seconds == pytest.approx(2)


PASSED = st.floats(0, 90)
CALLS = st.lists(st.tuples(PASSED, st.integers(0, 120), st.floats(0, 1), PASSED), max_size=30)


@settings(deadline=None)
@given(st.integers(1, 100), CALLS)
def test_whatever_comes_no_span_has_more_than_its_steps_and_the_burst(
    quota: int, calls: list[tuple[float, int, float, float]]
) -> None:
    desk = Desk()
    done: list[tuple[float, int]] = []
    with desk.caller(steps=quota):
        for passed, steps, share, lasts in calls:
            desk.clock.now += passed
            call, began = Call(), desk.clock.now
            try:
                settle = desk.quotas.take(steps, call)
            except (StepsQuotaUsed, OverWholeQuota):
                continue
            desk.clock.now += lasts
            call.steps = round(steps * share)
            settle()
            done.append((began, call.steps))
    for first in range(len(done)):
        for last in range(first, len(done)):
            span = done[last][0] - done[first][0]
            assert sum(steps for _, steps in done[first : last + 1]) <= quota * (1 + span / MINUTE) + 1e-6
    assert sum(steps for _, steps in done) == desk.done.get("a", 0)


@settings(deadline=None)
@given(st.integers(1, 10**6), st.lists(st.tuples(PASSED, st.integers(1, 10**6)), max_size=12))
def test_who_comes_again_when_told_is_let_in_and_sooner_is_not(
    quota: int, calls: list[tuple[float, int]]
) -> None:
    desk = Desk()
    with desk.caller(steps=quota):
        for passed, steps in calls:
            desk.clock.now += passed
            steps = min(steps, quota)
            try:
                desk.quotas.check(steps)
            except StepsQuotaUsed as refused:
                came = desk.clock.now
                if refused.retry_seconds > 1:
                    desk.clock.now = came + 0.99 * refused.retry_seconds - 0.01
                    with pytest.raises(StepsQuotaUsed):
                        desk.quotas.check(steps)
                desk.clock.now = came + round(refused.retry_seconds, 3)  # as RetryInfo travels
            desk.use(steps)


@settings(deadline=None)
@given(st.integers(1, 4), st.lists(st.booleans(), max_size=40))
def test_no_more_calls_are_in_flight_than_may_be_and_every_place_comes_back(
    most: int, comings: list[bool]
) -> None:
    desk, flights = Desk(), list[ExitStack]()
    with desk.caller(calls=most):
        for comes in comings:
            if not comes and flights:
                flights.pop(0).close()
            elif comes:
                stack = ExitStack()
                try:
                    stack.enter_context(desk.quotas.call())
                except CallsQuotaUsed:
                    assert len(flights) == most
                else:
                    flights.append(stack)
            assert desk.quotas.left() == Balance(None, most - len(flights))
        for stack in flights:
            stack.close()
        assert desk.quotas.left() == Balance(None, most)


def test_a_quiet_key_saves_no_more_than_one_minute(desk: Desk) -> None:
    with desk.caller(steps=60):
        lefts = []
        for passed in (0, 1, 10**6):
            desk.clock.now += passed
            lefts.append(desk.steps_left())
    assert lefts == [60, 60, 60]
