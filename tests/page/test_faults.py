"""What the page says when the service is not there, stops, is full or has lost its Triton."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.page.browser import watched
from tests.page.conftest import ROOT, page_before
from tests.page.faulty import refuses, refusing

NOWHERE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
"""A proxy that does not answer: nothing on this machine may go through it."""


@pytest.fixture(scope="module")
def address() -> str:
    """Where services come and go."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(scope="module")
def page_address(address: str) -> Iterator[str]:
    """A page before that address."""
    with page_before(address, NOWHERE) as page_address:
        yield page_address


@pytest.fixture
def visit(browser: Browser, page_address: str) -> Iterator[Page]:
    with watched(browser, page_address) as page:
        yield page


@contextmanager
def serving(address: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real service of the demo pack, its engine in process."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    words = ["--listen", address, "--metrics-listen", "127.0.0.1:0", "--ready-file", str(ready)]
    with (
        (folder / "log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "relatent_service", "--engine", "local", *words],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        try:
            yield process
        finally:
            process.kill()


def bring_a_picture(page: Page) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (10, 20, 30)).save(buffer, "PNG")
    files = {"name": "plain.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    page.locator("#picture input[type=file]").set_input_files(files)  # type: ignore[arg-type]


def is_told(page: Page, *parts: str) -> None:
    """Whether the page says so, in sentences and without what only programmers know."""
    for part in parts:
        expect(page.get_by_role("alert")).to_contain_text(part)
    shown = page.locator("body").inner_text()
    assert not [word for word in ("Error", "Traceback", "UNAVAILABLE", "EXHAUSTED", "gRPC") if word in shown]


def test_a_page_before_no_service_says_so_and_goes_on_when_one_comes_and_when_it_is_lost(
    visit: Page, address: str, tmp_path: Path
) -> None:
    is_told(visit, f"No service answers at {address}. Start one with `relatent serve`")
    expect(visit.locator("#tabs")).to_have_count(0)
    with serving(address, tmp_path) as process:
        expect(visit.locator("#picture")).to_be_visible()
        expect(visit.get_by_role("alert")).to_have_count(0)
        visit.locator("#quality").get_by_label("fast").check()
        visit.locator("#picture-examples button").first.click()
        expect(visit.locator("#words")).to_contain_text("PSNR")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        visit.locator("#start").click()
        is_told(visit, f"No service answers at {address}.")
        visit.locator("#dial-smile input[type=range]").press("End")
        is_told(visit, f"No service answers at {address}.")
    with serving(address, tmp_path):
        visit.locator("#dial-smile input[type=range]").press("Home")
        expect(visit.locator("#status p")).to_contain_text("smile")
        expect(visit.get_by_role("alert")).to_have_count(0)


def test_a_full_queue_is_a_sentence_with_the_seconds_to_wait(visit: Page, address: str) -> None:
    full = refuses(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "256 calls wait already", 6.2)
    with refusing(address, full):
        bring_a_picture(visit)
        is_told(visit, "The service is busy with other pictures. Try again in 7 seconds.")


def test_a_service_that_drains_is_a_sentence(visit: Page, address: str) -> None:
    drains = refuses(grpc.StatusCode.UNAVAILABLE, "DRAINING", "this server is shutting down", 5)
    with refusing(address, drains):
        bring_a_picture(visit)
        is_told(visit, "The service is shutting down and takes no new work.")


def test_a_lost_triton_is_a_sentence(visit: Page, address: str) -> None:
    lost = refuses(grpc.StatusCode.UNAVAILABLE, "ENGINE_UNAVAILABLE", "the engine does not answer", 1)
    with refusing(address, lost):
        bring_a_picture(visit)
        is_told(visit, "the engine that runs its models (Triton) does not answer", "try again in a second")


def test_a_fault_of_the_service_is_a_sentence(visit: Page, address: str) -> None:
    broken = refuses(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error", 1)
    with refusing(address, broken):
        bring_a_picture(visit)
        is_told(visit, "The service failed at this: its log says why.")
