"""The first screen, by a real service."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.page.browser import pixels


def test_a_click_on_an_example_and_it_is_inverted(visit: Page) -> None:
    visit.locator("#picture-examples button").first.click()
    visit.get_by_role("button", name="Invert").click()
    assert pixels(visit.locator("#made img")).shape == (512, 512, 3)
