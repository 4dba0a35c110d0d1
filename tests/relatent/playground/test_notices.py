"""Which event takes away what stands on top of the page."""

from __future__ import annotations

from relatent.playground.notices import Notices


def test_an_event_takes_away_what_was_told_before_it_began() -> None:
    notices = Notices()
    notices.begin()
    notices.tell()
    assert notices.may_clear(notices.begin())


def test_but_not_what_was_told_while_it_went_on() -> None:
    notices = Notices()
    long_one = notices.begin()
    assert notices.may_clear(long_one)
    notices.begin()
    notices.tell()
    assert not notices.may_clear(long_one)
    assert notices.may_clear(notices.begin())
    assert not notices.may_clear(long_one)
