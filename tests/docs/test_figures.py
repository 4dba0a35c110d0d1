"""The recorded measurements are of what is committed, and keep what the project promises."""

from __future__ import annotations

import json
from pathlib import Path

from bench.report import NAMES
from relatent.pack import file_digest

ROOT = Path(__file__).parents[2]
MEASURED = json.loads((ROOT / "docs/bench.json").read_text())


def test_every_measurement_is_of_the_refinement_graph_that_is_committed() -> None:
    digest = file_digest(ROOT / "model_repository/demo_refine/1/model.onnx")
    assert {name: MEASURED[name]["refine_sha256"] for name in NAMES} == dict.fromkeys(NAMES, digest)


def test_a_step_is_faster_than_the_frozen_loop_and_the_service_keeps_most_of_it() -> None:
    assert MEASURED["step"]["speedup_batch_8"] >= 1.3
    assert MEASURED["overhead"]["efficiency"] >= 0.85


def test_the_encoder_saves_nine_steps_of_ten_and_company_changes_nothing() -> None:
    assert MEASURED["start"]["step_ratio"] >= 10
    assert MEASURED["invariance"]["max_relative_difference"] <= 1e-4
