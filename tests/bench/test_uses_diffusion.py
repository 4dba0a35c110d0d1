"""What is said of diffusions is true of images of which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from bench.drawings import HeldOut
from bench.uses_diffusion import SIDES, Pairs, face, figures
from relatent_export.demo.factors import FACTORS
from relatent_service.editing.stitching import Stitched

RANDOM = np.random.default_rng(5)


def pairs(count: int = 3) -> Pairs:
    def drawn() -> HeldOut:
        images = RANDOM.integers(0, 256, (count, 64, 64, 3)).astype(np.uint8)
        return HeldOut(images, RANDOM.uniform(-1, 1, (count, len(FACTORS))).astype(np.float32))

    return Pairs(drawn(), drawn())


def test_every_factor_is_on_one_side() -> None:
    assert sorted(name for names in SIDES.values() for name in names) == sorted(FACTORS)


def test_the_stitched_image_is_what_the_service_stitches() -> None:
    some = pairs()
    for target, context, image in zip(some.targets.images, some.contexts.images, some.stitched, strict=True):
        np.testing.assert_array_equal(Stitched.of(target, context, face(), 2.0).image, image)


def test_what_reads_as_the_target_is_at_no_distance_from_it_and_at_its_own_from_the_context() -> None:
    some = pairs()
    found = figures({"": lambda _: some.targets.factors}, some, some.stitched, [0.1, 0.2, 0.3])
    away = 50 * np.abs(some.targets.factors - some.contexts.factors).mean(0)
    for place, name in enumerate(FACTORS):
        assert found["factors"][name]["to_target"] == 0
        assert found["factors"][name]["to_context"] == pytest.approx(away[place], rel=1e-2)
    inside = [found["factors"][name]["to_context"] for name in SIDES["inside"]]
    assert found["inside"]["to_context"] == pytest.approx(np.mean(inside), rel=1e-2)
    assert found["region_mse"] == found["context_mse"] == 0
    assert found["border_error"] == pytest.approx(51, rel=1e-2)
    whole = figures({}, some, some.targets.images, [0.0])
    assert whole["region_mse"] == 0 < whole["context_mse"]
