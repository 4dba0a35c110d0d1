"""The tab of restorations, by a real service."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from scripts.page_controls import paint, pick, put
from tests.page.browser import pixels


def test_a_painted_part_is_made_anew_and_all_else_stays(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Restore")
    pick(page, "restore-picture")
    page.get_by_label("a part (paint it)").check()
    paint(page, "restore-canvas", across=(0.4, 0.6), down=0.5)
    put(page, "restore-steps", 10)
    page.locator("#restore-start").click()
    expect(page.locator("#restore-status")).to_contain_text("Restored in")
    given, restored = (pixels(page.locator(f"#restore-pair .pair-{side}")) for side in ("before", "after"))
    missing = (given == 128).all(axis=2)
    assert 0.01 < missing.mean() < 0.2
    change = np.abs(restored - given).max(axis=2)
    assert (change[~missing] == 0).all()
    assert np.median(change[missing]) > 10
    expect(page.locator("#restore-words")).to_contain_text("It agrees with what was given.")

    page.get_by_label("Keep what is known").uncheck()
    page.locator("#restore-start").click()
    expect(page.locator("#restore-words")).not_to_contain_text("match 100.0 dB")
    free = pixels(page.locator("#restore-pair .pair-after"))
    assert np.abs(free - given).max(axis=2)[~missing].max() > 10

    page.locator("#restore-edit").click()
    expect(page.locator("#status p")).to_have_text("As restored: edited by its own code.")
    assert np.abs(pixels(page.locator("#pair .pair-after")) - free).mean() < 0.5
    expect(page.locator("#dial-smile input[type=range]")).to_be_enabled()


def test_whole_pictures_are_spoilt_and_made_whole_again(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Restore")
    pick(page, "restore-picture", 2)
    grey, coloured = spoilt_and_restored(page, "colours (it is grey)", 6)
    assert colour(grey) == 0
    assert colour(coloured) > 10
    small, large = spoilt_and_restored(page, "size (it is small)", 7)
    assert small.shape == (16, 16, 3)
    enlarged = Image.fromarray(small.astype(np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
    assert sharpness(large) > 1.1 * sharpness(np.asarray(enlarged, np.int16))
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
