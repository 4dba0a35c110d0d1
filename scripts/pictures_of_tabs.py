"""What tabs of the page look like with something in them: each is brought there as a visitor does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from playwright.sync_api import Page, expect

from tests.page.controls import paint, pick, put

SECONDS = 60
"""Anything is there after as long, on a busy machine."""


def morph(page: Page) -> None:
    """Two drawings, and the picture between them."""
    pick(page, "morph-first", 1)
    pick(page, "morph-second", 3)
    page.locator("#morph-start").click()
    _wait(page, "#morph-status", "50% of the way")


def restore(page: Page) -> None:
    """A drawing without its eyes, and with eyes again."""
    pick(page, "restore-picture", 4)
    page.get_by_label("a part (paint it)").check()
    paint(page, "restore-canvas", across=(0.44, 0.56), down=0.5)
    page.locator("#restore-start").click()
    _wait(page, "#restore-status", "Restored in")


def text(page: Page) -> None:
    """A drawing that shall smile."""
    pick(page, "text-picture", 3)
    page.get_by_label("What it shall show").fill("a smiling person")
    page.locator("#text-start").click()
    _wait(page, "#text-status", "Moved by")


def methods(page: Page) -> None:
    """The qualities and some methods, of one drawing."""
    pick(page, "methods-picture", 2)
    for name in ("hybrid", "optimize_w", "multi_code"):
        page.locator("#methods-chosen").get_by_label(name, exact=True).check()
    page.locator("#methods-start").click()
    _wait(page, "#methods-status", "is nearest")


def samples(page: Page) -> None:
    """Two dozen samples, one of them large."""
    put(page, "samples-count", 24)
    page.locator("#samples-start").click()
    page.locator("#samples-strip button").nth(23).wait_for()
    page.locator("#samples-strip button").nth(4).click()
    _wait(page, "#samples-chosen", "Seed 5")


TABS: Mapping[str, Callable[[Page], None]] = {
    "Morph": morph,
    "Restore": restore,
    "Text": text,
    "Methods": methods,
    "Samples": samples,
}
"""How each tab is brought there, by its title."""


def _wait(page: Page, where: str, says: str) -> None:
    expect(page.locator(where)).to_contain_text(says, timeout=SECONDS * 1000)
