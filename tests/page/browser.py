"""A headless Chromium on the page, which fails the test at what no page of ours may do."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

WIDE, PHONE = {"width": 1280, "height": 1000}, {"width": 390, "height": 844}
LOCAL = ("127.0.0.1", "localhost", "")
"""Hosts that may be asked; the empty one is that of data: and blob: addresses."""
SECONDS = 20
"""Anything on the page is there after as long."""


@contextmanager
def watched(browser: Browser, address: str, viewport: dict[str, int] | None = None) -> Iterator[Page]:
    """A new visitor on the page; afterwards, whether all went by the rules.

    No request leaves the machine, nothing is written to the console as an error, no script fails.
    """
    wrong: list[str] = []
    context = browser.new_context(viewport=viewport or WIDE, permissions=["camera"])  # type: ignore[arg-type]
    context.set_default_timeout(SECONDS * 1000)
    page = context.new_page()
    page.on("request", lambda request: _check_host(request.url, wrong))
    page.on("console", lambda told: wrong.append(f"console: {told.text}") if told.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.goto(address)
    try:
        yield page
    finally:
        context.close()
    assert wrong == []


def _check_host(url: str, wrong: list[str]) -> None:
    if urlsplit(url).hostname not in (*LOCAL, None):
        wrong.append(f"asked another machine: {url}")


def pixels(image: Locator) -> NDArray[np.int16]:
    """What an image on the page shows, [height, width, 3], as it was sent; waits until it is there."""
    image.wait_for()
    data = image.evaluate(
        """async image => {
            await image.decode();
            const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
            return Array.from(bytes);
        }"""
    )
    with Image.open(io.BytesIO(bytes(data))) as opened:
        return np.asarray(opened.convert("RGB"), np.int16)


def difference(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """The mean absolute difference of two images, in levels of 255."""
    return float(np.abs(one - other).mean())


def small(picture: NDArray[np.int16]) -> NDArray[np.int16]:
    """A picture at the size that the demo pack makes."""
    return np.asarray(Image.fromarray(picture.astype(np.uint8)).resize((64, 64)), np.int16)
