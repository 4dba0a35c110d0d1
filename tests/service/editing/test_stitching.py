"""A target's region in a context: what is stitched, what counts, and what a blend keeps."""

from __future__ import annotations

import numpy as np
import pytest

from relatent_service.editing.stitching import Pixels, Stitched

SIDE = 32
RANDOM = np.random.default_rng(3)
TARGET, CONTEXT, MADE = (RANDOM.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8) for _ in range(3))
LEFT = np.zeros((SIDE, SIDE), np.uint8)
LEFT[:, : SIDE // 2] = 255
FLAT = np.full((SIDE, SIDE, 3), 100, np.uint8)


def stitched(feather: float = 0.0, mask: Pixels = LEFT) -> Stitched:
    return Stitched.of(TARGET, CONTEXT, mask, feather)


def test_within_the_region_is_the_target_and_outside_it_the_context_whatever_the_feather() -> None:
    for feather in (0.0, 2.0):
        image = stitched(feather).image
        np.testing.assert_array_equal(image[:, : SIDE // 2], TARGET[:, : SIDE // 2])
        np.testing.assert_array_equal(image[:, SIDE // 2 :], CONTEXT[:, SIDE // 2 :])


def test_what_counts_is_the_mask_to_the_level_whatever_the_feather() -> None:
    mask = RANDOM.integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    np.testing.assert_array_equal(stitched(2.0, mask).mask, mask)


def test_a_blend_keeps_what_was_given_to_the_bit_away_from_the_border_and_is_made_at_it() -> None:
    both = stitched(1.5)
    blended = both.blended(MADE)
    np.testing.assert_array_equal(blended[:, : SIDE // 2 - 6], TARGET[:, : SIDE // 2 - 6])
    np.testing.assert_array_equal(blended[:, SIDE // 2 + 6 :], CONTEXT[:, SIDE // 2 + 6 :])
    at_border = slice(SIDE // 2 - 1, SIDE // 2 + 1)
    assert np.abs(blended[:, at_border] - MADE[:, at_border].astype(int)).mean() < 20
    assert np.abs(TARGET[:, at_border] - MADE[:, at_border].astype(int)).mean() > 60


def test_the_border_is_as_visible_as_what_differs_there_and_hidden_by_a_coherent_image() -> None:
    brighter = np.full_like(FLAT, 151)
    both = Stitched.of(brighter, FLAT, LEFT, 2.0)
    assert both.border_error(both.image) == pytest.approx(0.2)
    assert both.border_error(both.context) == 0
    assert both.border_error(brighter) == 0
    assert both.border_error(both.blended(np.full_like(FLAT, 125))) < 0.02
