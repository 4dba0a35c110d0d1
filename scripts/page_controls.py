"""What a visitor does to a page's controls."""

from __future__ import annotations

from playwright.sync_api import Page, TimeoutError, expect

_PATIENCE_SECONDS = 5


def put(page: Page, slider: str, value: float) -> None:
    """Put a slider to a value, by what stands beside it."""
    box = page.locator(f"#{slider} input[type=number]")
    box.fill(f"{value:g}")
    box.press("Enter")
    expect(page.locator(f"#{slider} input[type=range]")).to_have_value(f"{value:g}")


def pick(page: Page, picker: str, number: int = 0) -> None:
    """Click an example of a picker, and wait until it is taken; as people do, again where nothing came of it.

    On a busy machine the examples of a tab just opened are there before they listen.
    """
    example, taken = page.locator(f"#{picker}-examples button").nth(number), page.locator(f"#{picker} img")
    example.click()
    try:
        taken.wait_for(timeout=_PATIENCE_SECONDS * 1000)
    except TimeoutError:
        example.click()
        taken.wait_for()


def paint(page: Page, editor: str, across: tuple[float, float], down: float) -> None:
    """Paint one stroke from left to right.

    Args:
        page: that the editor is on.
        editor: what it is called.
        across: where it begins and ends, as parts of the canvas's width.
        down: where, as a part of its height.
    """
    canvas = page.locator(f"#{editor} canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    height = box["y"] + box["height"] * down
    page.mouse.move(box["x"] + box["width"] * across[0], height)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * across[1], height, steps=8)
    page.mouse.up()
