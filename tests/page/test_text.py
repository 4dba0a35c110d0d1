"""The tab of texts, by a real service."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from playwright.sync_api import Page, expect

from scripts.page_controls import pick, put
from tests.page.browser import pixels

PROMPT = "a person with glasses"


def test_a_text_changes_what_it_is_about_and_little_else(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Text")
    pick(page, "text-picture", 0)
    page.get_by_label("What it shall show").fill(PROMPT)
    page.locator("#text-start").click()
    expect(page.locator("#text-words")).to_contain_text("Much more: glasses")
    before, after = (pixels(page.locator(f"#text-pair .pair-{side}")) for side in ("before", "after"))
    change = np.abs(after - before).mean(axis=2)
    high, wide = change.shape
    eyes = change[high * 6 // 16 : high * 9 // 16, wide * 4 // 16 : wide * 12 // 16].mean()
    bottom = change[high * 13 // 16 :]
    corners = np.concatenate([bottom[:, : wide // 5], bottom[:, wide - wide // 5 :]]).mean()
    assert eyes > 10
    assert eyes > 4 * corners

    put(page, "text-strength", 0.2)
    expect(page.locator("#text-words")).not_to_contain_text("Much more: glasses")
    weaker = np.abs(pixels(page.locator("#text-pair .pair-after")) - before).mean()
    assert 0 < weaker < change.mean()
    with page.expect_download() as told:
        page.locator("#text-downloads").get_by_role("link", name="recipe").click()
    assert '"prompt": "a person with glasses"' in told.value.path().read_text()


def test_what_the_model_knows_nothing_of_is_said(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Text")
    pick(page, "text-picture", 1)
    page.locator("#text-start").click()
    expect(page.locator("#notice")).to_contain_text("there is no text yet")
    prompt = page.get_by_label("What it shall show")
    prompt.fill("a person with a zebu")
    prompt.press("Enter")
    expect(page.locator("#notice")).to_contain_text("the model knows nothing of 'zebu'")
    prompt.fill(PROMPT)
    put(page, "text-beta", 0.98)
    prompt.press("Enter")
    expect(page.locator("#notice")).to_contain_text("lower the threshold")
    assert page.locator("#text-words dt").count() == 0
