"""The recorded uses of inversion keep what the project promises, and where they do not the page says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from relatent_service.rpc.reading.diffusion import ANCHOR_WEIGHT, MOST_STEPS

ROOT = Path(__file__).parents[2]
USES = json.loads((ROOT / "docs/bench.json").read_text())["uses"]
PAGE = (ROOT / "docs/uses.md").read_text()


def test_restorations_were_measured_on_all_drawings() -> None:
    assert not USES["quick"]
    assert USES["images"] == 64


@pytest.mark.parametrize("kind", ["upscale_4", "inpaint", "denoise"])
def test_a_restoration_is_closer_than_the_trivial_way_however_it_is_measured(kind: str) -> None:
    found = USES[kind]
    for name in ("mse", "perceptual", "judge_error"):
        assert found[name] < found[f"baseline_{name}"]
    assert found["psnr"] > found["baseline_psnr"]


def test_a_part_that_is_missing_costs_less_than_half_of_what_its_mean_does() -> None:
    assert USES["inpaint"]["mse"] <= USES["inpaint"]["baseline_mse"] / 2


def test_colours_look_right_and_where_they_miss_their_goal_in_squares_the_page_says_so() -> None:
    found = USES["colorize"]
    assert found["perceptual"] < found["baseline_perceptual"] / 2
    assert ("short of its goal" in PAGE) == (found["mse"] > found["baseline_mse"] / 2)


def test_what_is_inside_a_diffusion_follows_the_target_and_what_is_outside_the_context_by_both_networks() -> (
    None
):
    found = USES["diffusion"]["answer"]
    for name in ("", "judge_"):
        assert found["inside"][f"{name}to_target"] < found["inside"][f"{name}to_context"] / 4
        assert found["outside"][f"{name}to_context"] < found["outside"][f"{name}to_target"] / 4
    assert found["border_error"] < USES["diffusion"]["stitched"]["border_error"] / 2


def test_diffusions_do_by_default_what_was_best_on_other_drawings() -> None:
    sweep = USES["diffusion"]["sweep"]
    least = min(each["distance"] for each in sweep)
    best = min(
        (each for each in sweep if each["distance"] <= 1.02 * least), key=lambda each: each["region_mse"]
    )
    assert (best["steps"], best["anchor"]) == (MOST_STEPS, ANCHOR_WEIGHT)


def test_the_factor_that_was_left_out_is_named_and_no_other() -> None:
    found = USES["misses"]
    for reader in ("", "judge_"):
        assert found[f"{reader}missed"] == ["glasses"]
        assert found[f"control_{reader}missed"] == []


def test_an_imported_pack_keeps_most_of_the_gain_in_ten_minutes_and_where_not_the_page_says_so() -> None:
    found = USES["coordinates"]
    assert found["seconds"] <= 600
    assert found["kept_share"] >= 0.6
    told = (ROOT / "docs/bring-your-own.md").read_text()
    assert ("short of its goal" in told) == (found["kept_share"] < 0.8)
