"""Gain and leak of edits, on attributes that can be worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from relatent.core.codes import Codes
from relatent.core.directions import Direction
from relatent.core.pack import Pack
from relatent_export.analysis.editing import Ranges, asked_edits, edit_figures, measure_edits
from relatent_export.analysis.likeness import sliced_wasserstein

RANGES = Ranges(np.array([-1, 0], np.float32), np.array([1, 4], np.float32))
"""Of two attributes; the first one's width is 2, the second one's 4."""


def direction(name: str, attribute: str, calibration: float) -> Direction:
    vector = np.zeros((1, 2), np.float32)
    vector[0, 0 if attribute == "a" else 1] = 1
    return Direction(name, vector, 0.0, attribute, 0, 0, calibration, -9.0, 9.0)


PACK = cast(
    Pack,
    SimpleNamespace(
        attribute_names=("a", "b"),
        directions={
            "a": direction("a", "a", 0.5),
            "b": direction("b", "b", 2.0),
            "unmeasured": direction("unmeasured", "a", 0.0),
            "other": direction("other", "c", 1.0),
        },
    ),
)


def test_edits_are_asked_of_calibrated_directions_and_stay_within_the_ranges() -> None:
    attributes = np.array([[0.9, 2.0], [-0.9, 0.5]], np.float32)
    asked = asked_edits(PACK, attributes, RANGES)
    assert [(each.direction.name, each.change, each.codes) for each in asked] == [
        ("a", -0.5, (0,)),
        ("a", 0.5, (1,)),
        ("b", -1.0, (0,)),
        ("b", 1.0, (0, 1)),
    ]
    assert asked[0].edit.operations[0].strip == (-1.0,)


def test_gain_is_over_what_was_asked_and_leak_in_percent_of_the_others_ranges() -> None:
    asked = asked_edits(PACK, np.array([[0.0, 2.0]], np.float32), RANGES)[1:2]
    before, after = np.array([[0.0, 2.0]], np.float32), np.array([[0.25, 3.0]], np.float32)
    found = edit_figures(asked, before, [after], RANGES)
    assert (found.gain, found.leak, found.edits) == (0.5, 25.0, 1)


def test_codes_are_edited_and_read_by_every_network() -> None:
    codes = Codes.plain(np.array([[[0.0, 2.0]]], np.float32))

    def images_of(edited: Codes) -> Any:
        return edited.w[:, 0]  # the pictures are the codes, the readers read them off

    readers = {"own": lambda images: images, "judge": lambda images: images * np.float32(2)}
    asked = asked_edits(PACK, codes.w[:, 0], RANGES)[:2]
    found = measure_edits(codes, asked, images_of, readers, RANGES)
    # A strength of 1, which the calibration says is worth half a unit, moves a whole one.
    assert (found["own"].gain, found["judge"].gain) == (2, 4)
    assert found["own"].leak == 0


def test_the_range_of_samples_leaves_out_the_outermost() -> None:
    values = np.concatenate([np.linspace(0, 1, 1000), [99.0]])[:, None].astype(np.float32)
    assert Ranges.of(values).width[0] == pytest.approx(1, abs=0.02)


def test_sets_of_images_are_told_apart_by_their_patches() -> None:
    random = np.random.default_rng(0)
    smooth = np.repeat(np.repeat(random.integers(0, 256, (6, 8, 8, 3), np.uint8), 4, 1), 4, 2)
    rough = random.integers(0, 256, (6, 32, 32, 3), np.uint8)
    assert sliced_wasserstein(smooth, smooth) < 0.3 * sliced_wasserstein(smooth, rough)
    with pytest.raises(ValueError, match="two sets of one size and number"):
        sliced_wasserstein(smooth, rough[:2])
