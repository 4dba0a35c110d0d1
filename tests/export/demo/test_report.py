from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from relatent.core.methods import Initial, Method, StartRule, StateTensor
from relatent.core.pack import Pack, file_digest, read_pack
from relatent.core.spaces import Space
from relatent_export.analysis.refining import Bytes, ExportedPack, Floats
from relatent_export.demo.inversion_report import moved, step_ratio
from relatent_export.demo.starts import RefinedSet
from tests.export.conftest import ROOT


class Descent(ExportedPack):
    """A pack whose codes lose 1 a step, and are as far from their targets as they are large."""

    def __init__(self) -> None:
        state = {name: StateTensor((1, 1), Initial.CODE) for name in ("w", "best_w")}
        method = Method(
            "descent", "refine", Space.W_PLUS, 10, 100, {}, {"pixel": 1.0}, state, {"w": "best_w"}
        )
        self.pack = cast(Pack, SimpleNamespace(default_method=method))

    def assess(self, codes: Floats, targets: Bytes) -> dict[str, Floats]:
        return {"mse": codes[:, 0, 0] / 1000, "perceptual": codes[:, 0, 0]}

    def run(self, role: str, feed: Mapping[str, Any]) -> dict[str, Any]:
        steps = feed["steps"][:, :, None]
        state = {f"next.{name}": feed[f"state.{name}"] - steps for name in ("w", "best_w")}
        return {**state, "losses": np.zeros((len(steps), 10), np.float32)}


def side(start: float) -> RefinedSet:
    codes, targets = np.full((20, 1, 1), start, np.float32), np.zeros((20, 2, 2, 3), np.uint8)
    return RefinedSet(Descent(), codes, targets, 0.1)


@pytest.mark.parametrize("steps", [1, 9, 10, 11, 37])
def test_a_goal_is_reached_at_the_very_step_within_a_call_of_the_graph(steps: int) -> None:
    walk = side(100.0)
    assert walk.advance_until(100.0 - steps, most=60) == steps
    assert walk.steps == steps
    assert walk.quality().perceptual == 100.0 - steps
    assert walk.quality().mse == pytest.approx((100 - steps) / 1000)


def test_a_goal_too_far_is_not_reached_and_the_steps_are_done() -> None:
    walk = side(100.0)
    assert walk.advance_until(39.0, most=60) is None
    assert (walk.steps, walk.quality().perceptual) == (60, 40.0)
    assert step_ratio(None) == {"step_ratio": 1000 / 30, "censored": True, "mean_steps": 1000}
    assert step_ratio(600) == {"step_ratio": 20.0, "censored": False, "mean_steps": 600}


def test_the_demo_packs_report_meets_every_bar() -> None:
    report = json.loads((ROOT / "packs/demo/report.json").read_text())
    assert sum(value >= 0.95 for value in report["attribute_r2"].values()) >= 14
    assert sum(0.8 <= value <= 1.2 for value in report["std_ratio"].values()) >= 13
    mse = report["mse"]
    assert mse["hybrid_100"] <= mse["encoder"] / 2 or mse["hybrid_100"] < 0.002
    points = {"encoder", "hybrid_100", "mean_100", "mean_1000"}
    assert all(set(report[name]) == points for name in ("mse", "perceptual", "moved"))
    assert set(report["std_ratio"]) == set(report["attribute_r2"])
    assert report["fid"] > report["fid_reference"] > 0
    assert report["step_ratio"] == pytest.approx(report["mean_steps"] / 30, rel=1e-4)
    assert report["step_ratio"] >= 10


def test_the_report_is_of_the_pack_and_the_graph_beside_it() -> None:
    report, pack = json.loads((ROOT / "packs/demo/report.json").read_text()), read_pack(ROOT / "packs/demo")
    assert report["revision"] == pack.revision
    assert report["refine_sha256"] == file_digest(ROOT / "model_repository/demo_refine/1/model.onnx")
    rates = pack.default_method.rates
    assert report["learning_rate"] == {start: rates[start] for start in (StartRule.ENCODER, StartRule.MEAN)}


def test_how_far_codes_have_moved_is_a_root_mean_square() -> None:
    codes = np.random.default_rng(0).standard_normal((20, 2, 4), np.float32)
    assert moved(codes + 0.5, codes) == pytest.approx(0.5, rel=1e-4)
