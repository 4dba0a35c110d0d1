"""The recorded measurements are of what is committed, and keep what the project promises."""

from __future__ import annotations

import json
from pathlib import Path

from bench.measurement import NAMES
from relatent.core.pack import file_digest
from scripts.figures import STEP_BAR

ROOT = Path(__file__).parents[2]
MEASURED = json.loads((ROOT / "docs/bench.json").read_text())


def test_every_measurement_is_of_the_refinement_graph_that_is_committed() -> None:
    digest = file_digest(ROOT / "model_repository/demo_refine/1/model.onnx")
    assert {name: MEASURED[name]["refine_sha256"] for name in NAMES} == dict.fromkeys(NAMES, digest)


def test_a_step_is_faster_than_the_public_projectors_and_the_service_keeps_most_of_it() -> None:
    step = MEASURED["step"]
    assert step["published_speedup_batch_8"] >= STEP_BAR
    assert MEASURED["overhead"]["efficiency"] >= 0.85


def test_where_a_step_misses_its_bar_against_our_own_networks_the_readme_says_so() -> None:
    speedup = MEASURED["step"]["speedup_batch_8"]
    assert speedup > 1
    assert ("short of its bar" in (ROOT / "README.md").read_text()) == (speedup < STEP_BAR)


def test_the_encoder_saves_nine_steps_of_ten_and_company_changes_nothing() -> None:
    assert MEASURED["start"]["step_ratio"] >= 10
    assert MEASURED["invariance"]["max_relative_difference"] <= 1e-4


def test_a_published_size_is_imported_exported_and_refined_within_what_is_promised() -> None:
    measured = json.loads((ROOT / "docs/fullsize.json").read_text())
    assert not measured["quick"]
    assert (measured["resolution"], measured["compare_side"]) == (1024, 256)
    assert measured["parameters"]["encoder"] > 267e6
    assert measured["checkpoint_gib"] >= 1
    assert measured["import_peak_ratio"] < 2.5
    assert measured["export"]["seconds"] < 15 * 60
    assert measured["export"]["peak_gib"] < 12
    assert measured["speedup"] >= 1.2
    first, last = measured["served"]["loss_first_and_last"]
    assert measured["served"]["engine"] == "embedded"
    assert last < first


def test_goodput_does_not_collapse_under_overload_and_where_it_misses_its_goal_the_page_says_so() -> None:
    measured = json.loads((ROOT / "docs/overload.json").read_text())
    assert not measured["quick"]
    assert measured["refine_sha256"] == file_digest(ROOT / "model_repository/demo_refine/1/model.onnx")
    goodputs = [measured[f"goodput_at_{load}"] for load in ("2", "5")]
    assert min(goodputs) >= 0.8
    missed = "short of the goal of 90 %" in (ROOT / "docs/bench.md").read_text()
    assert missed == (min(goodputs) < 0.9)
    assert all(measured["loads"][load]["refused_promptly"] >= 0.95 for load in ("2", "5"))


def test_the_in_domain_score_tells_drawings_from_what_is_none() -> None:
    measured = json.loads((ROOT / "docs/domain.json").read_text())
    assert not measured["quick"]
    for name in ("noise", "photographs", "upside_down", "shuffled_patches"):
        assert measured["auc"][name] >= 0.99
