"""The page on a phone, by keys alone, and for those who hear it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.browser import PHONE, watched

TITLES = ("Edit", "Morph", "Restore", "Text", "Methods", "Samples")

NAMELESS = """() => {
  const named = it => [it.getAttribute('aria-label'), it.title, it.innerText, it.alt,
    ...[...(it.labels || [])].map(label => label.innerText),
    ...[...(it.getAttribute('aria-labelledby') || '').split(' ')].map(
      id => id && document.getElementById(id)?.innerText),
    ...[...it.querySelectorAll('img, svg')].map(inner => inner.alt || inner.getAttribute('aria-label')),
  ].some(name => name && name.trim());
  return [...document.querySelectorAll('input:not([type=file]), button, select, textarea, a, [role=img]')]
    .filter(it => it.checkVisibility() && !it.ariaHidden && !named(it)).map(it => it.outerHTML.slice(0, 200));
}"""


@pytest.fixture
def phone(browser: Browser, page_address: str) -> Iterator[Page]:
    with watched(browser, page_address, PHONE) as page:
        yield page


def tabs(page: Page) -> Iterator[str]:
    """Opens one tab after the other; those that do not fit are behind a button on phones."""
    page.locator("#tabs [role=tab]").first.wait_for()
    behind = page.locator("#tabs .overflow-dropdown button")
    for title in TITLES:
        tab = page.get_by_role("tab", name=title, exact=True)
        if not tab.count():
            page.get_by_label("More tabs").click()
            tab = behind.get_by_text(title, exact=True)
        tab.click()
        expect(page.get_by_role("tab", name=title, exact=True, selected=True)).to_have_count(1)
        yield title


def test_no_tab_is_wider_than_a_phone(phone: Page) -> None:
    phone.locator("#picture-examples button").first.click()
    expect(phone.locator("#words")).to_contain_text("PSNR")
    for title in tabs(phone):
        wide = phone.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1], title


def test_the_picture_stays_in_sight_on_a_phone(phone: Page) -> None:
    phone.locator("#picture-examples button").first.click()
    expect(phone.locator("#words")).to_contain_text("PSNR")
    phone.locator("#dials input[type=range]").last.scroll_into_view_if_needed()
    expect(phone.locator("#pair .pair-stack")).to_be_in_viewport(ratio=0.95)


def test_everything_that_can_be_used_has_a_name(visit: Page) -> None:
    visit.locator("#picture-examples button").first.click()
    expect(visit.locator("#words")).to_contain_text("PSNR")
    assert {title: found for title in tabs(visit) if (found := visit.evaluate(NAMELESS))} == {}


def test_keys_alone_choose_a_picture_edit_it_and_undo_that(visit: Page) -> None:
    visit.locator("#picture-examples").wait_for()

    def tab_to(selector: str) -> None:
        for _ in range(90):
            visit.keyboard.press("Tab")
            if visit.evaluate("it => document.activeElement.matches(it)", selector):
                return
        raise AssertionError(f"no {selector} among what the tab key comes to")

    tab_to("#picture-examples button")
    visit.keyboard.press("Enter")
    expect(visit.locator("#words")).to_contain_text("PSNR")
    tab_to("#dial-smile input[type=range]")
    visit.keyboard.press("End")
    expect(visit.locator("#status p")).to_contain_text("smile")
    visit.evaluate("document.activeElement.blur()")
    tab_to("#undo")
    visit.keyboard.press("Enter")
    expect(visit.locator("#status p")).to_have_text("As inverted.")
