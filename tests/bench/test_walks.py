"""How near walks come, and how far they really go."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench import walks
from bench.measurement import BenchSettings
from relatent_export.directions.transforms import TRANSFORMS

ROOT = Path(__file__).parents[2]
IMAGES = 2 * torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(4)) - 1


def transformed(name: str, share: float) -> torch.Tensor:
    transform = TRANSFORMS[name]
    return transform.apply(IMAGES, torch.full((len(IMAGES),), share * transform.reach)).image


@pytest.mark.parametrize("name", ["zoom", "shift_x", "rotate", "red"])
def test_the_transformed_image_itself_is_without_error_and_to_stay_is_1(name: str) -> None:
    transform = TRANSFORMS[name]
    assert walks.error(transform, 0.5, IMAGES, transformed(name, 0.5)) < 1e-6
    assert walks.error(transform, 0.5, IMAGES, IMAGES) == 1


@pytest.mark.parametrize("name", ["zoom", "shift_x", "rotate", "red"])
def test_what_went_half_as_far_as_was_asked_for_is_told_so(name: str) -> None:
    transform = TRANSFORMS[name]
    assert walks.went(transform, 0.5, IMAGES, transformed(name, 0.5)) == pytest.approx(1)
    assert walks.went(transform, -1.0, IMAGES, transformed(name, -0.5)) == pytest.approx(0.5)
    assert walks.went(transform, 1.0, IMAGES, IMAGES) == pytest.approx(0)


def test_a_quick_run_says_what_it_promises() -> None:
    report = walks.run(BenchSettings(ROOT / "packs", ROOT / "model_repository", quick=True))
    assert report["images"] == 2
    shares = {f"{share:g}" for share in walks.SHARES}
    for each in report["transforms"].values():
        assert each["reach"] > 0
        for kind in ("linear", "non_linear"):
            assert each[kind]["error"].keys() == each[kind]["went"].keys() == shares
    figures = [each["linear"]["error"][at] for each in report["transforms"].values() for at in ("-1", "1")]
    assert report["mean"]["linear"]["error"]["1"] == pytest.approx(sum(figures) / len(figures), rel=1e-2)
