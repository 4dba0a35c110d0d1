"""The tab that sets methods side by side, by a real service."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from scripts.page_controls import pick, put
from tests.page.browser import pixels
from tests.page.conftest import ROOT

SIDE = 64


def test_ways_stand_side_by_side_with_figures_that_agree_with_their_pictures(
    open_tab: Callable[[str], Page],
) -> None:
    page = open_tab("Methods")
    pick(page, "methods-picture")
    chosen = page.locator("#methods-chosen")
    chosen.get_by_label("balanced", exact=True).uncheck()
    chosen.get_by_label("hybrid", exact=True).check()
    page.locator("#methods-start").click()
    expect(page.locator("#methods-status")).to_contain_text(
        "best is nearest to the picture; fast is quickest"
    )

    drawing = Image.open(sorted((ROOT / "packs/demo/drawings").glob("*.png"))[0]).convert("RGB")
    given = np.asarray(drawing.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)
    found = {}
    for name in ("fast", "best", "hybrid"):
        card = page.locator(f".card[data-way={name}]")
        told = re.search(r"PSNR ([\d.]+) dB, perceptual distance [\d.]+, [\d.]+ s", card.inner_text())
        assert told, card.inner_text()
        apart = pixels(card.locator("img")) - given
        psnr = -10 * np.log10(np.mean(apart**2) / 255**2)
        assert abs(float(told.group(1)) - psnr) < 0.2, name
        found[name] = psnr
    assert found["fast"] < found["hybrid"] < found["best"]
    assert page.locator("#methods-plot circle").count() == 3
    assert "no steps" in page.locator(".card[data-way=fast]").inner_text()


def test_they_come_one_after_another_and_take_the_steps_they_are_told(
    open_tab: Callable[[str], Page],
) -> None:
    page = open_tab("Methods")
    pick(page, "methods-picture", 1)
    chosen = page.locator("#methods-chosen")
    chosen.get_by_label("best", exact=True).uncheck()
    chosen.get_by_label("optimize", exact=True).check()
    put(page, "methods-steps", 40)
    page.locator("#methods-start").click()
    expect(page.locator(".card[data-way=balanced]")).to_contain_text("40 steps")
    expect(page.locator(".card[data-way=fast]")).to_contain_text("no steps")
    expect(page.locator(".card[data-way=optimize]")).to_contain_text("40 steps")
    with page.expect_download() as told:
        page.locator(".card[data-way=balanced]").get_by_role("link", name="latent code").click()
    assert told.value.suggested_filename == "balanced.safetensors"


def test_nothing_runs_before_a_picture_and_a_way_are_chosen(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Methods")
    expect(page.locator("#methods-start")).to_be_disabled()
    pick(page, "methods-picture")
    for name in ("fast", "balanced", "best"):
        page.locator("#methods-chosen").get_by_label(name, exact=True).uncheck()
    page.locator("#methods-start").click()
    expect(page.locator("#notice")).to_contain_text("choose one way at least")


def test_a_run_is_stopped_and_begun_anew(open_tab: Callable[[str], Page]) -> None:
    page = open_tab("Methods")
    pick(page, "methods-picture")
    page.locator("#methods-chosen").get_by_label("optimize", exact=True).check()
    put(page, "methods-steps", 300)
    page.locator("#methods-start").click()
    expect(page.locator(".card.coming img")).to_have_count(1)
    page.locator("#methods-stop").click()
    expect(page.locator("#methods-status")).to_contain_text("Stopped.")
    expect(page.locator(".card[data-way=optimize]")).to_have_count(0)
    put(page, "methods-steps", 1)
    page.locator("#methods-start").click()
    expect(page.locator(".card[data-way=optimize]")).to_contain_text("1 step")
