"""Pictures that are made to lack something, and what was painted over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relatent.core.restoration import RestorationPreset
from relatent.playground.tabs.restore import spoiling

WHOLE = Image.fromarray(np.random.default_rng(0).integers(60, 190, (16, 16, 3)).astype(np.uint8))


def pixels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, np.float64)


def layer(side: int, rows: slice, columns: slice, alpha: int = 255) -> Image.Image:
    painted = np.zeros((side, side, 4), np.uint8)
    painted[rows, columns] = (128, 128, 128, alpha)
    return Image.fromarray(painted)


def test_colours_become_grey() -> None:
    assert np.ptp(pixels(spoiling.spoilt(WHOLE, RestorationPreset.COLORIZE)), axis=2).max() == 0


def test_size_becomes_means_of_squares() -> None:
    small = spoiling.spoilt(WHOLE, RestorationPreset.UPSCALE, fewer=4)
    means = pixels(WHOLE).reshape(4, 4, 4, 4, 3).mean((1, 3))
    assert np.abs(pixels(small) - means).max() <= 1


def test_noise_is_of_a_tenth_of_the_range_and_the_same_again() -> None:
    noisy = spoiling.spoilt(WHOLE, RestorationPreset.DENOISE)
    assert 20 < (pixels(noisy) - pixels(WHOLE)).std() < 30
    np.testing.assert_array_equal(pixels(noisy), pixels(spoiling.spoilt(WHOLE, RestorationPreset.DENOISE)))


def test_whatever_a_stroke_touches_is_unknown_and_no_more() -> None:
    known = spoiling.known({"layers": [layer(64, slice(7, 9), slice(0, 4))]}, 16)
    expected = np.full((16, 16), 255)
    expected[1:3, :1] = 0
    np.testing.assert_array_equal(np.asarray(known), expected)


def test_nothing_painted_is_all_known_and_faint_paint_counts() -> None:
    assert spoiling.known(None, 16).getextrema() == (255, 255)
    assert spoiling.known({"layers": [layer(64, slice(0), slice(0))]}, 16).getextrema() == (255, 255)
    assert spoiling.known({"layers": [layer(64, slice(0, 64), slice(0, 64), alpha=1)]}, 16).getextrema() == (
        0,
        0,
    )


def test_what_is_unknown_is_covered_and_all_else_stays() -> None:
    known = spoiling.known({"layers": [layer(16, slice(0, 8), slice(0, 16))]}, 16)
    covered = pixels(spoiling.covered(WHOLE, known))
    assert (covered[:8] == 128).all()
    np.testing.assert_array_equal(covered[8:], pixels(WHOLE)[8:])
