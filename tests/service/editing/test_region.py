"""Blending into a region, and how visible its border is."""

from __future__ import annotations

import numpy as np
import pytest

from relatent_service.editing.region import Region

SIDE = 16
BEFORE = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
EDITED = np.random.default_rng(2).integers(0, 256, (2, SIDE, SIDE, 3)).astype(np.uint8)
LEFT = np.zeros((SIDE, SIDE), np.uint8)
LEFT[:, : SIDE // 2] = 255


def test_a_sharp_region_takes_every_pixel_from_one_of_the_two() -> None:
    blended = Region.of(LEFT, 0).blended(BEFORE, EDITED)
    np.testing.assert_array_equal(blended[:, :, : SIDE // 2], EDITED[:, :, : SIDE // 2])
    np.testing.assert_array_equal(blended[:, :, SIDE // 2 :], np.stack([BEFORE[:, SIDE // 2 :]] * 2))


def test_grey_blends_by_its_share() -> None:
    blended = Region.of(np.full((SIDE, SIDE), 51, np.uint8), 0).blended(BEFORE, EDITED)
    np.testing.assert_allclose(blended, 0.8 * BEFORE + 0.2 * EDITED, atol=0.51)


def test_a_change_that_ends_at_the_border_is_as_visible_as_it_is_large() -> None:
    before = np.full((SIDE, SIDE, 3), 100, np.uint8)
    brighter = np.stack([np.full_like(before, 151), before])
    region = Region.of(LEFT, 0)
    assert region.border_errors(before, region.blended(before, brighter)) == pytest.approx([0.2, 0.0])


def test_feathering_hides_the_border() -> None:
    before = np.full((SIDE, SIDE, 3), 100, np.uint8)
    brighter = np.full_like(before, 151)[None]
    errors = []
    for feather in (0.0, 1.0, 2.0):
        region = Region.of(LEFT, feather)
        errors += region.border_errors(before, region.blended(before, brighter))
    assert errors[0] > 2 * errors[1] > 3 * errors[2] > 0


def test_what_changes_within_but_not_at_the_border_leaves_none() -> None:
    before = np.full((SIDE, SIDE, 3), 100, np.uint8)
    spot = before.copy()[None]
    spot[:, 4:6, 2:4] = 200
    region = Region.of(LEFT, 0)
    assert region.border_errors(before, region.blended(before, spot)) == [0.0]


def test_a_region_without_a_border_has_no_error() -> None:
    region = Region.of(np.full((SIDE, SIDE), 255, np.uint8), 2)
    assert region.border_errors(BEFORE, region.blended(BEFORE, EDITED)) == [0.0, 0.0]
