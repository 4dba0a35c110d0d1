"""What tabs of the page look like with something in them: each is brought there as a visitor does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from playwright.sync_api import Page, expect

from scripts.page_controls import paint, pick, put

SECONDS = 180
"""Anything is there after as long, on a busy machine."""
_WIDTH, _ZOOM = 1280, 0.8
"""Of a tab as it is laid out, in pixels; and how large it is in its picture."""


def morph(page: Page) -> None:
    """Two drawings, and the picture between them."""
    pick(page, "morph-first", 1)
    pick(page, "morph-second", 3)
    page.locator("#morph-start").click()
    _done(page, "#morph-status", "50% of the way", 1160)


def restore(page: Page) -> None:
    """A drawing without its eyes, and with eyes again."""
    pick(page, "restore-picture", 4)
    page.get_by_label("a part (paint it)").check()
    paint(page, "restore-canvas", across=(0.44, 0.56), down=0.5)
    page.locator("#restore-start").click()
    _done(page, "#restore-status", "Restored in", 1280)


def text(page: Page) -> None:
    """A drawing that shall smile."""
    pick(page, "text-picture", 3)
    page.get_by_label("What it shall show").fill("a smiling person")
    page.locator("#text-start").click()
    _done(page, "#text-status", "Moved by", 1100)


def methods(page: Page) -> None:
    """The qualities and some methods, of one drawing."""
    pick(page, "methods-picture", 2)
    for name in ("hybrid", "in_domain", "multi_code"):
        page.locator("#methods-chosen").get_by_label(name, exact=True).check()
    page.locator("#methods-start").click()
    _done(page, "#methods-status", "is nearest", 1420)


def samples(page: Page) -> None:
    """Samples in a row, one of them large."""
    put(page, "samples-count", 18)
    page.locator("#samples-start").click()
    page.locator("#samples-strip button").nth(17).wait_for()
    page.locator("#samples-strip button").nth(4).click()
    _done(page, "#samples-chosen", "Seed 5", 740)


PICTURES: Mapping[str, tuple[str, Callable[[Page], None]]] = {
    "playground.morph": ("Morph", morph),
    "playground.restore": ("Restore", restore),
    "playground.text": ("Text", text),
    "playground.methods": ("Methods", methods),
    "playground.samples": ("Samples", samples),
}
"""What is done on which tab, by the picture's name in docs/."""


def _done(page: Page, where: str, says: str, height: int) -> None:
    """Wait until something is said, and make room for all that there is to see."""
    expect(page.locator(where)).to_contain_text(says, timeout=SECONDS * 1000)
    page.set_viewport_size({"width": round(_WIDTH * _ZOOM), "height": round(height * _ZOOM)})
    page.evaluate(f"document.body.style.zoom = {_ZOOM}")
