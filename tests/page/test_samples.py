"""The tab of samples, by a real service."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from playwright.sync_api import Page, expect

from scripts.page_controls import put
from tests.page.browser import difference, pixels, small

COUNT = 3


def draw(page: Page, seed: int, truncation: float) -> list[Any]:
    """Draw some, and wait until they are there."""
    page.get_by_label("First seed").fill(str(seed))
    put(page, "samples-truncation", truncation)
    page.locator("#samples-start").click()
    expect(page.locator("#samples-strip .caption-label").first).to_have_text(str(seed))
    expect(page.locator("#samples-status")).to_contain_text(f"truncation {truncation:g}:")
    strip = page.locator("#samples-strip img")
    expect(strip).to_have_count(COUNT)
    return [pixels(strip.nth(number)) for number in range(COUNT)]


def test_seeds_make_the_same_pictures_again_others_differ_and_truncation_0_makes_them_equal(
    open_tab: Callable[[str], Page],
) -> None:
    page = open_tab("Samples")
    put(page, "samples-count", COUNT)
    first = draw(page, 5, 0.7)
    assert min(difference(one, other) for one, other in itertools.pairwise(first)) > 2
    others = draw(page, 50, 0.7)
    assert min(difference(one, other) for one in first for other in others) > 2
    again = draw(page, 5, 0.7)
    np.testing.assert_array_equal(again, first)
    equal = draw(page, 50, 0)
    assert all(difference(each, equal[0]) == 0 for each in equal)


def test_the_chosen_one_is_shown_large_and_taken_home(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Samples")
    put(page, "samples-count", COUNT)
    made = draw(page, 8, 1)
    page.locator("#samples-strip button").nth(1).press("Enter")
    expect(page.locator("#samples-chosen")).to_contain_text("Seed 9")
    assert difference(pixels(page.locator("#samples-chosen img")), made[1]) == 0
    with page.expect_download() as told:
        page.locator("#samples-downloads").get_by_role("link", name="latent code").click()
    assert told.value.suggested_filename == "seed-9.safetensors"
    assert b"relatent.space" in told.value.path().read_bytes()


def test_the_chosen_one_is_edited_on_the_first_screen_by_its_own_code(
    open_tab: Callable[[str], Page],
) -> None:
    page = open_tab("Samples")
    put(page, "samples-count", COUNT)
    expect(page.locator("#samples-edit")).to_be_disabled()
    made = draw(page, 8, 1)
    for number in (1, 2):
        page.get_by_role("tab", name="Samples").click()
        page.locator("#samples-strip button").nth(number).click()
        expect(page.locator("#samples-chosen")).to_contain_text(f"Seed {8 + number}")
        page.locator("#samples-edit").click()
        expect(page.locator("#status p")).to_have_text(f"Seed {8 + number}: edited by its own code.")
        expect(page.locator("#pair .pair-left")).to_have_text(f"seed {8 + number}")
        given, edited = (pixels(page.locator(f"#pair .pair-{side}")) for side in ("before", "after"))
        assert difference(given, edited) < 0.5
        assert difference(edited, small(made[number])) < 4
    page.locator("#dial-smile input[type=range]").press("End")
    expect(page.locator("#status p")).to_contain_text("smile")
    assert difference(pixels(page.locator("#pair .pair-after")), given) > 1
    assert difference(pixels(page.locator("#pair .pair-before")), given) == 0
    # The same again, from its beginning.
    page.get_by_role("tab", name="Samples").click()
    page.locator("#samples-edit").click()
    expect(page.locator("#status p")).to_have_text("Seed 10: edited by its own code.")
    expect(page.locator("#history")).to_be_hidden()


def test_what_is_no_seed_is_said_and_changes_nothing(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Samples")
    page.get_by_label("First seed").fill("-3")
    page.locator("#samples-start").click()
    expect(page.locator("#notice")).to_contain_text("a seed is a whole number from 0")
    expect(page.locator("#samples-strip img")).to_have_count(0)


def test_an_inversion_that_ends_well_leaves_what_went_wrong_meanwhile(
    open_tab: Callable[[str], Page],
) -> None:
    page = open_tab("Edit")
    page.locator("#more > button, #more .label-wrap").click()
    page.locator("#steps textarea, #steps input").fill("400")
    page.locator("#picture-examples button").first.click()
    expect(page.locator("#status p")).to_contain_text("of 400 steps")
    page.get_by_role("tab", name="Samples").click()
    page.get_by_label("First seed").fill("-3")
    page.locator("#samples-start").click()
    expect(page.locator("#notice")).to_contain_text("a seed is a whole number from 0")
    page.get_by_role("tab", name="Edit").click()
    expect(page.locator("#status p")).to_contain_text("Inverting")
    expect(page.locator("#status p")).to_contain_text("400 steps.")
    expect(page.locator("#notice")).to_contain_text("a seed is a whole number from 0")
    page.locator("#hold-none").click()
    expect(page.get_by_role("alert")).to_have_count(0)
