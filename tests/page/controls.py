"""What a visitor does to a page's controls."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def put(page: Page, slider: str, value: float) -> None:
    """Put a slider to a value, by what stands beside it."""
    box = page.locator(f"#{slider} input[type=number]")
    box.fill(f"{value:g}")
    box.press("Enter")
    expect(page.locator(f"#{slider} input[type=range]")).to_have_value(f"{value:g}")


def pick(page: Page, picker: str, number: int = 0) -> None:
    """Click an example of a picker, and wait until it is taken."""
    page.locator(f"#{picker}-examples button").nth(number).click()
    page.locator(f"#{picker} img").wait_for()
