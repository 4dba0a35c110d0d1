"""What the page says, and does later, when the real Triton under it dies and dies again."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import relatent
from relatent.cli.local_service import LocalService
from tests.fixtures.service_logs import triton_pid
from tests.page.browser import watched
from tests.page.conftest import page_before
from tests.page.test_faults import is_told

PATIENCE_SECONDS = "8"
"""Of this page's calls: one Triton that dies is waited for, and nobody is told."""
BACK_SECONDS = 90.0


@pytest.fixture
def visit(browser: Browser, service: LocalService) -> Iterator[Page]:
    with (
        page_before(service.address, flags=["--timeout", PATIENCE_SECONDS]) as address,
        watched(browser, address) as page,
    ):
        yield page


@contextmanager
def crashing(log: Path) -> Iterator[None]:
    """Kill a service's Triton, and whichever is started in its place, for as long as the block lasts."""
    ends = threading.Event()

    def kill() -> None:
        while not ends.wait(0.02):
            with suppress(ProcessLookupError):
                os.kill(triton_pid(log), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        ends.set()
        killer.join()


def test_a_triton_that_dies_and_dies_again_is_a_sentence_and_once_it_stays_all_goes_on(
    visit: Page, service: LocalService, service_log: Path
) -> None:
    before = triton_pid(service_log)
    visit.locator("#quality").get_by_label("fast").check()
    visit.locator("#picture-examples button").nth(5).click()
    expect(visit.locator("#status p")).to_contain_text("Inverted in")
    with crashing(service_log):
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
