"""The system's Chromium, headless: for the tests of the page and for its pictures."""

from __future__ import annotations

import shutil

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""On PATH, any of them."""
MISSING = (
    f"Chromium is needed, and there is none of {', '.join(NAMES)} on PATH. On Debian and Ubuntu: "
    "apt-get install chromium. Elsewhere: playwright install chromium, and put what it installs on PATH"
)
_FLAGS = (
    # Draws canvases without a graphics card.
    "--use-angle=swiftshader",
    # Continuous integration runs as root, where the sandbox does not.
    "--no-sandbox",
    # A webcam that shows a test picture, and that pages may use.
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


class NoChromiumError(Exception):
    """There is no Chromium; the message says how to come by one."""


def launch(playwright: Playwright) -> Browser:
    """Start it.

    Raises:
        NoChromiumError: there is none.
    """
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise NoChromiumError(MISSING)
    return playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
