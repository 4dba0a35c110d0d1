from __future__ import annotations

import threading

import pytest

from relatent.client.errors import InputError
from relatent.client.results import Progress
from relatent.client.resuming import ProgressCallback
from relatent.playground.watching import watched


def report(steps: int) -> Progress:
    return Progress(steps, 10, 1.0, 1.0)


def test_reports_come_as_they_are_made_and_the_result_at_last() -> None:
    def refine(tell: ProgressCallback) -> str:
        tell(report(1))
        tell(report(2))
        return "result"

    assert list(watched(refine)) == [report(1), report(2), "result"]


def test_an_error_comes_to_whoever_watches() -> None:
    def refine(tell: ProgressCallback) -> str:
        tell(report(1))
        raise InputError("image: expected a picture")

    watching = watched(refine)
    assert next(watching) == report(1)
    with pytest.raises(InputError, match="expected a picture"):
        next(watching)


def test_a_refinement_ends_when_nobody_watches_any_more() -> None:
    ended, told = threading.Event(), threading.Event()

    def refine(tell: ProgressCallback) -> str:
        try:
            tell(report(1))
            assert told.wait(10)
            tell(report(2))
        finally:
            ended.set()
        return "result"

    watching = watched(refine)
    next(watching)
    del watching  # as the page does with one that is stopped
    told.set()
    assert ended.wait(10)
