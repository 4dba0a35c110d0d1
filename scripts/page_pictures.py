"""Take pictures of the page for the documentation: `python -m scripts.page_pictures`.

It starts `relatent playground --serve` on the demo pack, does what a visitor would, and writes
docs/playground.png, and one docs/playground.TAB.png for each further tab.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from scripts import pictures_of_tabs
from scripts.chromium import launch
from scripts.figures import ROOT

SECONDS = 60
SIZE = {"width": 1280, "height": 1000}


def first_screen(page: Page) -> None:
    """A drawing, inverted, older and without glasses."""
    page.locator("#picture-examples button").nth(4).click()
    expect(page.locator("#words")).to_contain_text("PSNR")
    for name, to in (("age", "75"), ("smile", "0.9")):
        number = page.locator(f"#dial-{name} input[type=number]")
        number.fill(to)
        number.press("Tab")
        expect(page.locator("#pair .pair-right")).to_contain_text(f": {to}")


PICTURES: Mapping[str, tuple[str, Callable[[Page], None]]] = {
    "playground": ("Edit", first_screen),
    **pictures_of_tabs.PICTURES,
}
"""What is done on which tab, by the picture's name in docs/."""


def main() -> int:
    """Take all of them, or those that are named."""
    wanted = sys.argv[1:] or list(PICTURES)
    expect.set_options(timeout=SECONDS * 1000)
    with page_served() as address, sync_playwright() as playwright:
        browser = launch(playwright)
        for name in wanted:
            title, act = PICTURES[name]
            context = browser.new_context(viewport=SIZE)  # type: ignore[arg-type]
            context.set_default_timeout(SECONDS * 1000)
            page = context.new_page()
            page.goto(address)
            page.get_by_role("tab", name=title, exact=True).click()
            act(page)
            path = ROOT / "docs" / f"{name}.png"
            page.evaluate("window.scrollTo(0, 0)")
            _save(page.screenshot(), path)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
            context.close()
        browser.close()
    return 0


@contextmanager
def page_served() -> Iterator[str]:
    """Serve the demo pack and the page; its address."""
    command = [sys.executable, "-P", "-m", "relatent", "playground", "--serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"http://\S+", line):
                    yield found.group()
                    return
            raise RuntimeError("the page did not start: see above")
        finally:
            process.terminate()


def _save(screenshot: bytes, path: Path) -> None:
    with Image.open(io.BytesIO(screenshot)) as image:
        image.convert("RGB").save(path, "PNG", optimize=True)


if __name__ == "__main__":
    sys.exit(main())
