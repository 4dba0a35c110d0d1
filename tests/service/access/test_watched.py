"""Files that are looked at again and again."""

from __future__ import annotations

import asyncio
import logging

import pytest

from relatent_service.access import watched
from relatent_service.access.watched import keep_renewing


class Counting:
    """Renews itself, or fails to as it is told."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.looks = 0

    def renew(self) -> None:
        self.looks += 1
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), OSError("Input/output error")], ids=repr)
async def test_whatever_goes_wrong_at_a_look_is_logged_and_the_next_look_comes(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watched, "LOOK_SECONDS", 0.0)
    broken, other = Counting(error), Counting()
    renewing = asyncio.create_task(keep_renewing([broken, other]))
    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(10):
            while other.looks < 2 and not renewing.done():
                await asyncio.sleep(0.001)
    assert not renewing.done()
    assert broken.looks >= 2
    assert caplog.records[0].getMessage() == "a look for changed files failed"
    renewing.cancel()


async def test_no_thread_to_be_had_does_not_end_the_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "LOOK_SECONDS", 0.0)
    one, real, calls = Counting(), asyncio.to_thread, []

    async def to_thread(work):
        calls.append(work)
        if len(calls) == 1:
            raise RuntimeError("can't start new thread")
        await real(work)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    renewing = asyncio.create_task(keep_renewing([one]))
    async with asyncio.timeout(10):
        while not one.looks and not renewing.done():
            await asyncio.sleep(0.001)
    assert one.looks
    renewing.cancel()
