"""Ways of inverting set side by side: what is told of them."""

from __future__ import annotations

import re

from relatent.playground.tabs.methods import trying
from relatent.playground.tabs.methods.trying import Tried
from tests.relatent.playground.made import PACK, inversion, picture

FAST = Tried("one", "fast", inversion(psnr=32, steps=0, method="encoder"), 0.05)
BEST = Tried("two", "best", inversion(psnr=47, steps=100, method="feature"), 4.0)


def test_a_card_has_the_picture_the_figures_and_the_words() -> None:
    made = trying.cards([FAST, BEST], PACK)
    fast, best = made.split("</figure>")[:2]
    assert "<strong>fast</strong> (encoder)" in fast
    assert "PSNR 32.0 dB, perceptual distance 0.0100, 0.05 s, no steps" in fast
    assert "Hardly to be told from your picture" in best
    assert "100 steps" in best
    assert 'href="/downloads/two/best.safetensors"' in best
    assert made.count("data:image/png;base64,") == 2


def test_a_name_is_no_html() -> None:
    odd = Tried("three", "<b>&", inversion(), 1.0)
    assert "<b>&" not in trying.cards([odd], PACK) + trying.scatter([odd]) + trying.coming("<b>&", 1, 2, None)


def test_one_under_way_shows_its_preview_and_how_far_it_is() -> None:
    assert "5 of 100 steps" in trying.coming("best", 5, 100, picture())
    assert "<img" not in trying.coming("fast", 0, 0, None)


def test_the_nearest_and_the_quickest_are_named() -> None:
    assert trying.in_words([FAST, BEST]) == (
        "best is nearest to the picture; fast is quickest, 15.0 dB behind it in 0.05 s against 4.00 s."
    )
    assert "and the quickest, too" in trying.in_words([FAST, Tried("x", "slow", inversion(psnr=20), 9)])
    assert "choose several" in trying.in_words([FAST])


def test_a_plot_has_the_slower_further_right_and_the_nearer_higher() -> None:
    drawn = trying.scatter([FAST, BEST])
    (x0, y0), (x1, y1) = (map(float, each) for each in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn))
    assert x0 < x1
    assert y0 > y1
    assert "fast: 32.0 dB in 0.05 s; best: 47.0 dB in 4.00 s" in drawn


def test_a_plot_of_one_or_none_is_drawn_too() -> None:
    assert trying.scatter([FAST]).count("<circle") == 1
    assert "<circle" not in trying.scatter([])


def test_what_is_taken_home_is_called_as_the_way() -> None:
    assert set(trying.files(PACK, BEST)) == {"best.png", "best.safetensors"}
