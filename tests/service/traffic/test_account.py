"""What is charged to which class."""

import pytest

from relatent.core.traffic import TrafficClass
from relatent_service.traffic.account import LOAD_SECONDS, MOST_CREDIT_SECONDS, Account
from relatent_service.traffic.sharing import BULK_SHARE

INTERACTIVE, BULK = TrafficClass.INTERACTIVE, TrafficClass.BULK


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def account(clock):
    account = Account(clock)
    account.want(interactive=True, kept_out=False, bulk=True)
    return account


def test_bulk_calls_may_have_their_share_of_what_interactive_ones_were_charged(account, clock):
    assert account.credit() == 0
    account.enter(INTERACTIVE)
    clock.now += 1
    assert account.credit() == pytest.approx(BULK_SHARE)


def test_each_of_those_at_the_engine_is_charged_an_equal_part(account, clock):
    for each in (INTERACTIVE, INTERACTIVE, INTERACTIVE, BULK):
        account.enter(each)
    clock.now += 1
    assert account.credit() == pytest.approx(BULK_SHARE - 1 / 4)
    account.leave(INTERACTIVE)
    clock.now += 1
    assert account.credit() == pytest.approx(2 * BULK_SHARE - 1 / 4 - 1 / 3)


def test_what_is_left_of_the_share_can_be_made_up_for_only_so_far(account, clock):
    account.enter(INTERACTIVE)
    clock.now += 1000
    assert account.credit() == MOST_CREDIT_SECONDS


def test_time_in_which_nobody_is_at_the_engine_counts_for_nobody(account, clock):
    clock.now += 10
    assert account.credit() == 0


def test_what_bulk_calls_do_while_interactive_ones_are_busy_elsewhere_is_taken_from_nobody(account, clock):
    account.enter(BULK)
    clock.now += 1
    assert account.credit() == 0
    account.enter(INTERACTIVE)
    clock.now += 1
    assert account.credit() == pytest.approx(BULK_SHARE - 1 / 2)


def test_but_not_while_an_interactive_call_waits_for_a_place(account, clock):
    account.want(interactive=True, kept_out=True, bulk=True)
    account.enter(BULK)
    clock.now += 1
    assert account.credit() == pytest.approx(BULK_SHARE - 1)


def test_what_bulk_calls_owe_is_kept_though_none_is_here_for_a_while(account, clock):
    account.enter(BULK)
    account.enter(INTERACTIVE)
    clock.now += 1
    account.leave(BULK)
    account.want(interactive=True, kept_out=False, bulk=False)
    assert account.credit() == pytest.approx(BULK_SHARE - 1 / 2)
    clock.now += 1
    account.want(interactive=True, kept_out=False, bulk=True)
    assert account.credit() == pytest.approx(2 * BULK_SHARE - 1 / 2)


def test_a_debt_is_not_kept_for_ever_and_never_becomes_a_credit(account, clock):
    account.enter(BULK)
    account.enter(INTERACTIVE)
    clock.now += 1
    account.leave(INTERACTIVE)
    account.want(interactive=False, kept_out=False, bulk=True)
    clock.now += 100
    assert account.credit() == 0
    account.leave(BULK)
    account.want(interactive=True, kept_out=False, bulk=False)
    account.enter(INTERACTIVE)
    clock.now += 100
    assert account.credit() == 0


def test_a_debt_stays_while_interactive_calls_are_busy_elsewhere(account, clock):
    account.enter(BULK)
    account.enter(INTERACTIVE)
    clock.now += 1
    account.leave(BULK)
    account.leave(INTERACTIVE)
    account.want(interactive=True, kept_out=False, bulk=False)
    clock.now += 100
    assert account.credit() == pytest.approx(BULK_SHARE - 1 / 2)


@pytest.mark.parametrize(("interactive", "bulk"), [(False, True), (True, False)])
def test_a_new_account_is_opened_once_both_classes_are_here_again(account, clock, interactive, bulk):
    account.enter(INTERACTIVE)
    clock.now += 1
    account.leave(INTERACTIVE)
    account.want(interactive=interactive, kept_out=False, bulk=bulk)
    assert account.credit() == 0
    account.want(interactive=True, kept_out=False, bulk=True)
    assert account.credit() == 0


def test_the_load_of_interactive_calls_is_known_of_late(account, clock):
    assert account.load() == 0
    account.enter(INTERACTIVE)
    clock.now += 10 * LOAD_SECONDS
    assert account.load() == pytest.approx(1.0, abs=0.001)
    account.enter(BULK)
    clock.now += 10 * LOAD_SECONDS
    assert account.load() == pytest.approx(0.5, abs=0.001)
    account.leave(INTERACTIVE)
    account.leave(BULK)
    clock.now += 10 * LOAD_SECONDS
    assert account.load() == pytest.approx(0.0, abs=0.001)
