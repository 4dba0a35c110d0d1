"""The tab of restorations, by a real service."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from tests.page.browser import pixels
from tests.page.controls import pick, put

CELL = 8
"""Pixels of the page's picture that one of the pack's is."""


def paint(page: Page) -> None:
    """One stroke across the middle of the canvas."""
    canvas = page.locator("#restore-canvas canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=8)
    page.mouse.up()


def test_a_painted_part_is_made_anew_and_all_else_stays(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Restore")
    pick(page, "restore-picture")
    page.get_by_label("a part (paint it)").check()
    paint(page)
    put(page, "restore-steps", 10)
    page.locator("#restore-start").click()
    expect(page.locator("#restore-status")).to_contain_text("Restored in")
    given, restored = (pixels(page.locator(f"#restore-pair .pair-{side}")) for side in ("before", "after"))
    missing = np.abs(given - 128).max(axis=2) <= 2
    assert 0.01 < missing.mean() < 0.2

    # Enlarging spreads a pixel over its neighbours, so those near the stroke's border belong to neither.
    inside, outside = shrunk(missing, 2 * CELL), shrunk(~missing, 5 * CELL)
    change = np.abs(restored - given).max(axis=2)
    assert inside.any()
    assert outside.mean() > 0.5
    assert change[outside].max() <= 2
    assert np.median(change[inside]) > 10
    expect(page.locator("#restore-words")).to_contain_text("It agrees with what was given.")


def shrunk(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """A mask without what lies nearer than so many pixels to what it leaves out."""
    out = mask.copy()
    for axis in (0, 1):
        for shift in range(-by, by + 1):
            out &= np.roll(mask, shift, axis)
    return out


@pytest.mark.parametrize("lacks", ["colours (it is grey)", "size (it is small)", "smoothness (it is noisy)"])
def test_a_whole_picture_is_spoilt_and_made_whole_again(open_tab: Callable[[str], Page], lacks: str) -> None:
    page = open_tab("Restore")
    pick(page, "restore-picture", 2)
    page.get_by_label(lacks).check()
    put(page, "restore-steps", 8)
    page.locator("#restore-start").click()
    expect(page.locator("#restore-status")).to_contain_text("Restored in")
    given, restored = (pixels(page.locator(f"#restore-pair .pair-{side}")) for side in ("before", "after"))
    colour = [np.ptp(image, axis=2).mean() for image in (given, restored)]
    sharp = [np.abs(np.diff(image, axis=0)).mean() for image in (given, restored)]
    if lacks.startswith("colours"):
        assert colour[0] == 0
        assert colour[1] > 10
    elif lacks.startswith("size"):
        assert sharp[1] > 1.1 * sharp[0]
    else:
        assert sharp[1] < 0.7 * sharp[0]
    expect(page.locator("#restore-words")).to_contain_text("PSNR")


def test_nothing_painted_is_said(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Restore")
    pick(page, "restore-picture")
    page.get_by_label("a part (paint it)").check()
    page.locator("#restore-start").click()
    expect(page.locator("#notice")).to_contain_text("nothing is painted over yet")
