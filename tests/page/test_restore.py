"""The tab of restorations, by a real service."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from tests.page.browser import pixels
from tests.page.controls import paint, pick, put

CELL = 8
"""Pixels of the page's picture that one of the pack's is."""


def test_a_painted_part_is_made_anew_and_all_else_stays(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Restore")
    pick(page, "restore-picture")
    page.get_by_label("a part (paint it)").check()
    paint(page, "restore-canvas", across=(0.4, 0.6), down=0.5)
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

    page.get_by_label("Keep what is known").uncheck()
    page.locator("#restore-start").click()
    expect(page.locator("#restore-words")).not_to_contain_text("match 100.0 dB")
    free = pixels(page.locator("#restore-pair .pair-after"))
    assert np.abs(free - given).max(axis=2)[outside].max() > 10


def shrunk(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """A mask without what lies nearer than so many pixels to what it leaves out."""
    out = mask.copy()
    for axis in (0, 1):
        for shift in range(-by, by + 1):
            out &= np.roll(mask, shift, axis)
    return out


def test_whole_pictures_are_spoilt_and_made_whole_again(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Restore")
    pick(page, "restore-picture", 2)
    grey, coloured = spoilt_and_restored(page, "colours (it is grey)", 6)
    assert colour(grey) == 0
    assert colour(coloured) > 10
    small, large = spoilt_and_restored(page, "size (it is small)", 7)
    assert sharpness(large) > 1.1 * sharpness(small)
    noisy, smooth = spoilt_and_restored(page, "smoothness (it is noisy)", 8)
    assert sharpness(smooth) < 0.7 * sharpness(noisy)
    expect(page.locator("#restore-words")).to_contain_text("Beside the whole one")


def spoilt_and_restored(page: Page, lacks: str, steps: int) -> list[NDArray[np.int16]]:
    """What is given and what becomes of it, in a number of steps of its own."""
    page.get_by_label(lacks).check()
    usual = 100 if lacks.startswith("size") else 50
    expect(page.locator("#restore-steps input[type=range]")).to_have_value(f"{usual}")
    put(page, "restore-steps", steps)
    page.locator("#restore-start").click()
    expect(page.locator("#restore-status")).to_have_text(re.compile(rf"Restored in [\d.]+ s, {steps} steps"))
    return [pixels(page.locator(f"#restore-pair .pair-{side}")) for side in ("before", "after")]


def colour(image: NDArray[np.int16]) -> float:
    return float(np.ptp(image, axis=2).mean())


def sharpness(image: NDArray[np.int16]) -> float:
    return float(np.abs(np.diff(image, axis=0)).mean())


def test_nothing_painted_is_said(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Restore")
    pick(page, "restore-picture")
    page.get_by_label("a part (paint it)").check()
    page.locator("#restore-canvas canvas").first.wait_for()
    page.locator("#restore-start").click()
    expect(page.locator("#notice")).to_contain_text("nothing is painted over yet")
