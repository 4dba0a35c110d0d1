"""One real service with its Triton, one page before it and one browser, for all tests of the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from relatent.cli.local_service import LocalService
from scripts.chromium import launch
from tests.page.browser import SECONDS, watched

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


@contextmanager
def page_before(
    address: str, environment: dict[str, str] | None = None, flags: Sequence[str] = ()
) -> Iterator[str]:
    """Serve the page before a service; its address."""
    command = [sys.executable, "-P", "-m", "relatent", "playground"]
    process = subprocess.Popen(
        [*command, "--address", address, "--listen", "127.0.0.1:0", *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    giving_up = threading.Timer(START_SECONDS, process.kill)
    giving_up.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        giving_up.cancel()
        found = re.search(r"http://\S+", line)
        assert found, f"expected the page's address, got {line!r}"
        yield found.group()
    finally:
        with process:  # closes the pipe at its end
            process.terminate()
            process.wait(15)


@pytest.fixture(scope="session")
def service_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service says."""
    return tmp_path_factory.mktemp("service") / "log"


@pytest.fixture(scope="session")
def service(service_log: Path) -> Iterator[LocalService]:
    """The demo pack, served by a real Triton."""
    flags = ["--packs", str(ROOT / "packs"), "--repository", str(ROOT / "model_repository")]
    with LocalService(flags, service_log) as service:
        yield service


@pytest.fixture(scope="session")
def page_address(service: LocalService) -> Iterator[str]:
    """Where the page is."""
    with page_before(service.address) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, page_address: str) -> Iterator[Page]:
    """A new visitor on the page."""
    with watched(browser, page_address) as page:
        yield page


@pytest.fixture
def open_tab(visit: Page) -> Callable[[str], Page]:
    """Opens a tab by its title."""

    def opened(title: str) -> Page:
        visit.get_by_role("tab", name=title).click()
        return visit

    return opened
