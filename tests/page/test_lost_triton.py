"""What the page says, and does later, when the real Triton under it is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import relatent
from relatent.cli.local_service import LocalService
from tests.fixtures.service_logs import triton_pid
from tests.page.browser import watched
from tests.page.conftest import page_before
from tests.page.test_faults import is_told

PATIENCE_SECONDS = "5"
"""Of this page's calls: a Triton that is back sooner is waited for, and nobody is told."""
BACK_SECONDS = 90.0


@pytest.fixture
def visit(browser: Browser, service: LocalService) -> Iterator[Page]:
    with (
        page_before(service.address, flags=["--timeout", PATIENCE_SECONDS]) as address,
        watched(browser, address) as page,
    ):
        yield page


@contextmanager
def triton_lost(log: Path) -> Iterator[None]:
    """Kill a service's Triton, and let its successor go on no sooner than the block ends."""
    killed = triton_pid(log)
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + BACK_SECONDS
    while (started := triton_pid(log)) == killed:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.01)
    os.killpg(started, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(started, signal.SIGCONT)


def test_a_triton_that_is_killed_and_comes_back_late_is_a_sentence_and_then_all_goes_on(
    visit: Page, service: LocalService, service_log: Path
) -> None:
    before = triton_pid(service_log)
    visit.locator("#quality").get_by_label("fast").check()
    visit.locator("#picture-examples button").nth(5).click()
    expect(visit.locator("#status p")).to_contain_text("Inverted in")
    with triton_lost(service_log):
        visit.locator("#quality").get_by_label("balanced").check()  # no result that is kept
        visit.locator("#start").click()
        is_told(visit, "the engine that runs its models (Triton) does not answer", "try again in a second")
        expect(visit.locator("#status p")).to_have_text("Not inverted.")
    with relatent.Client(service.address, timeout=BACK_SECONDS) as client:
        client.sample([1])
    assert triton_pid(service_log) != before
    visit.locator("#start").click()
    expect(visit.locator("#status p")).to_contain_text("Inverted in")
    expect(visit.get_by_role("alert")).to_have_count(0)
