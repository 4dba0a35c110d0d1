"""The tab that morphs two pictures, by a real service."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.page.browser import difference, pixels, small


def test_a_morph_goes_from_one_reconstruction_to_the_other(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Morph")
    page.locator("#morph-first-examples button").nth(0).click()
    page.locator("#morph-second-examples button").nth(1).click()
    page.locator("#morph-quality").get_by_label("fast").check()
    page.locator("#morph-start").click()
    strip = page.locator("#morph-strip img")
    expect(strip).to_have_count(7)
    first, last = (pixels(page.locator(f"#morph-made-{name} img")) for name in ("first", "second"))
    frames = [pixels(strip.nth(number)) for number in range(7)]

    assert difference(frames[0], first) == 0
    assert difference(frames[-1], last) == 0
    away = [difference(frame, first) for frame in frames]
    assert away == sorted(away)
    assert min(one - other for other, one in itertools.pairwise(away)) > 1
    assert difference(frames[3], last) > 5


def test_the_slider_shows_the_picture_at_its_place_by_keys_and_by_a_click_on_the_strip(
    open_tab: Callable[[str], Page],
) -> None:
    page = open_tab("Morph")
    page.locator("#morph-first-examples button").nth(2).click()
    page.locator("#morph-second-examples button").nth(3).click()
    page.locator("#morph-quality").get_by_label("fast").check()
    page.locator("#morph-start").click()
    between, status = page.locator("#morph-between img"), page.locator("#morph-status")
    expect(status).to_contain_text("50% of the way")
    first, last = (pixels(page.locator(f"#morph-made-{name} img")) for name in ("first", "second"))
    middle = pixels(between)
    assert difference(middle, first) > 5
    assert difference(middle, last) > 5

    handle = page.locator("#morph-amount input[type=range]")
    handle.press("Home")
    expect(status).to_contain_text("The first picture")
    assert difference(pixels(between), first) == 0
    page.locator("#morph-strip button").last.click()
    expect(status).to_contain_text("The second picture")
    assert difference(pixels(between), last) == 0
    expect(handle).to_have_value("1")

    with page.expect_download() as told:
        page.locator("#morph-downloads").get_by_role("link", name="recipe", exact=True).click()
    assert '"kind": "interpolate"' in told.value.path().read_text()

    page.locator("#morph-edit").click()
    expect(page.locator("#status p")).to_have_text("100% of the morph: edited by its own code.")
    assert difference(pixels(page.locator("#pair .pair-after")), small(last)) < 4
