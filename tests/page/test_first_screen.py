"""The first screen, by a real service: each test looks at what came of it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

import relatent
from tests.page.browser import difference, pixels, small

Pixels = NDArray[np.int16]

EYES, SHIRT = np.s_[22:34, 14:50], np.s_[59:64, 16:48]
"""Rows and columns of a drawing's eyes, and of its shirt."""
DRAWINGS = Path(__file__).parents[2] / "packs" / "demo" / "drawings"


def status(page: Page) -> Locator:
    return page.locator("#status p")


def invert_example(page: Page, number: int = 0, quality: str = "fast") -> None:
    page.locator("#quality").get_by_label(quality).check()
    page.locator("#picture-examples button").nth(number).click()
    expect(status(page)).to_contain_text("Inverted in")


def given(page: Page) -> Pixels:
    return pixels(page.locator("#pair .pair-before"))


def made(page: Page) -> Pixels:
    return pixels(page.locator("#pair .pair-after"))


def slider(page: Page, name: str) -> Locator:
    return page.locator(f"#dial-{name} input[type=range]")


def place(page: Page, name: str) -> float:
    return float(slider(page, name).input_value())


def move(page: Page, name: str, to: float) -> None:
    """Type a place into a slider's number, as somebody may who wants it exactly."""
    number = page.locator(f"#dial-{name} input[type=number]")
    number.fill(f"{to:g}")
    number.press("Tab")


def test_an_example_is_inverted_before_ones_eyes(visit: Page) -> None:
    visit.locator("#picture-examples button").nth(2).click()
    expect(status(visit)).to_contain_text(re.compile(r"Inverting: \d+ of 100 steps"))
    expect(visit.locator("#pair .pair-right")).to_contain_text(re.compile(r"after \d+ steps"))
    expect(visit.locator("#curve polyline")).to_be_visible()
    expect(status(visit)).to_contain_text("Inverted in")
    expect(visit.locator("#words")).to_contain_text("Hardly to be told from your picture")
    expect(visit.locator("#words")).to_contain_text(
        re.compile(r"PSNR \d\d\.\d dB, perceptual distance 0\.\d+")
    )
    expect(visit.locator("#words")).to_contain_text("A typical picture for this model")
    assert difference(small(given(visit)), made(visit)) < 4
    drawn = np.asarray(Image.open(DRAWINGS / "portrait-02.png").convert("RGB").resize((64, 64)), np.int16)
    assert difference(drawn, made(visit)) < 4


def test_a_slider_changes_what_it_says_and_nothing_else(visit: Page) -> None:
    invert_example(visit, 1)
    before, tone = made(visit), place(visit, "shirt_hue")
    move(visit, "glasses", 1.0)
    expect(status(visit)).to_contain_text("Reads glasses 1.0")
    after = made(visit)
    assert difference(before[EYES], after[EYES]) > 12
    assert difference(before[SHIRT], after[SHIRT]) < 4
    assert abs(place(visit, "shirt_hue") - tone) <= 0.03


def test_arrow_keys_move_a_slider_and_the_picture_follows(visit: Page) -> None:
    invert_example(visit)
    before, asked = made(visit), place(visit, "yaw") + 8
    for _ in range(8):
        slider(visit, "yaw").press("ArrowRight")
    expect(status(visit)).to_contain_text(
        re.compile(rf"Reads yaw ({asked - 0.9:.0f}|{asked:.0f})\.\d°, as asked")
    )
    assert difference(before, made(visit)) > 1
    # Keys in a row are one step.
    assert visit.locator("#history input").count() == 2


def test_what_is_not_held_goes_along(visit: Page) -> None:
    """Age and glasses go together in the drawings' world."""
    moved = {}
    invert_example(visit, 4)
    glasses = place(visit, "glasses")
    for held in ("all", "none"):
        visit.locator(f"#hold-{held}").click()
        expect(visit.locator("#hold-glasses input")).to_be_checked(checked=held == "all")
        move(visit, "age", 75 if place(visit, "age") < 50 else 25)
        expect(status(visit)).to_contain_text("Reads age")
        moved[held] = abs(place(visit, "glasses") - glasses)
        visit.locator("#undo").click()
        expect(status(visit)).to_contain_text("As inverted")
    assert moved["all"] < 0.03 < 0.1 < moved["none"]


def test_a_goal_out_of_reach_is_told_in_words(visit: Page) -> None:
    invert_example(visit)
    for name, end in (("age", 80), ("yaw", -30), ("smile", -1), ("width", 1)):
        move(visit, name, end)
        expect(visit.locator("#pair .pair-right")).to_contain_text(f": {end}")
    expect(status(visit)).to_contain_text(re.compile(r"Yaw reached -\d+\.\d° of -30\.0°: [a-z ]+\."))
    expect(status(visit)).to_contain_text("although held.")


def test_steps_are_undone_done_again_and_compared(visit: Page) -> None:
    invert_example(visit)
    inverted = made(visit)
    move(visit, "smile", 0.9)
    expect(visit.locator("#history input")).to_have_count(2)
    smiling = made(visit)
    move(visit, "background_hue", 0.9)
    expect(visit.locator("#history input")).to_have_count(3)
    both = made(visit)
    visit.locator("#undo").click()
    expect(visit.locator("#pair .pair-right")).to_have_text("1. smile: 0.9")
    assert difference(made(visit), smiling) == 0
    visit.locator("#history").get_by_label("as inverted").check()
    expect(visit.locator("#pair .pair-right")).to_have_text("as inverted")
    assert difference(made(visit), inverted) == 0
    expect(visit.locator("#undo")).to_be_disabled()
    visit.locator("#redo").click()
    visit.locator("#redo").click()
    expect(visit.locator("#pair .pair-right")).to_have_text("2. hue of the background: 0.9")
    assert difference(made(visit), both) == 0
    visit.locator("#against input").click()
    visit.get_by_role("option", name="1. smile: 0.9").click()
    expect(visit.locator("#pair .pair-left")).to_have_text("1. smile: 0.9")
    assert difference(given(visit), smiling) == 0


def test_the_slider_between_two_pictures_uncovers_one_of_them(visit: Page) -> None:
    invert_example(visit)
    between = visit.get_by_role("slider", name="How much of the left picture is uncovered")
    for key, shown in (("Home", "0%"), ("End", "100%")):
        between.press(key)
        at = visit.locator("#pair .pair-stack").evaluate("stack => stack.style.getPropertyValue('--at')")
        assert at == shown


def test_a_file_that_is_dropped_is_inverted_and_strange_ones_are_called_so(visit: Page) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    files = {"name": "noise.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()}
    visit.locator("#picture input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    expect(visit.locator("#words")).to_contain_text("Only roughly like your picture")
    expect(visit.locator("#words")).to_contain_text("Nothing like what this model knows")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("notes.png", b"no picture at all", "got a text file"),
        ("half.png", (DRAWINGS / "portrait-00.png").read_bytes()[:500], "it is a broken PNG"),
    ],
    ids=["text", "half a picture"],
)
def test_a_file_that_is_no_picture_is_refused_in_a_sentence(
    visit: Page, name: str, data: bytes, told: str
) -> None:
    files = {"name": name, "mimeType": "image/png", "buffer": data}
    visit.locator("#picture input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    expect(visit.get_by_role("alert")).to_contain_text(told)
    expect(status(visit)).to_have_text("Not inverted.")
    assert "Error" not in visit.locator("body").inner_text()
    invert_example(visit)
    expect(visit.get_by_role("alert")).to_have_count(0)


def test_the_webcam_brings_a_picture(visit: Page) -> None:
    visit.locator("#picture").get_by_label("Capture from camera").click()
    visit.locator("#picture").get_by_text("Click to Access Webcam").click()
    # The button is there before the camera is.
    visit.wait_for_function("document.querySelector('#picture video')?.currentTime > 0")
    visit.locator("#picture").get_by_label("capture photo").click()
    expect(status(visit)).to_contain_text("Inverted in")


def test_an_inversion_is_stopped(visit: Page) -> None:
    visit.locator("#more > button, #more .label-wrap").click()
    visit.locator("#steps textarea, #steps input").fill("1000")
    visit.locator("#picture-examples button").first.click()
    expect(status(visit)).to_contain_text("of 1000 steps")
    visit.locator("#stop").click()
    expect(status(visit)).to_have_text("Stopped.")
    visit.locator("#steps textarea, #steps input").fill("5")
    visit.locator("#start").click()
    expect(status(visit)).to_contain_text("5 steps.")


def test_picture_code_and_recipe_are_taken_home(visit: Page, tmp_path: Path) -> None:
    invert_example(visit)
    move(visit, "smile", 0.9)
    expect(visit.locator("#history input")).to_have_count(2)
    saved = {}
    for what in ("picture", "latent code", "recipe"):
        with visit.expect_download() as download:
            visit.get_by_role("link", name=what).click()
        saved[what] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[what])
    assert difference(np.asarray(Image.open(saved["picture"]), np.int16), made(visit)) == 0
    assert relatent.LatentCode.load(saved["latent code"]).pack == "demo"
    (reach,) = relatent.Recipe.load(saved["recipe"]).operations
    assert isinstance(reach, relatent.Reach)
    assert [(goal.attribute, goal.to) for goal in reach.goals] == [("smile", 0.9)]
