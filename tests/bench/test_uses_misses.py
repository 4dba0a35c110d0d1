"""`analyze misses` names what was left out of a generator's training set, and only that."""

from __future__ import annotations

from pathlib import Path

from bench import uses_misses
from bench.measurement import BenchSettings

ROOT = Path(__file__).parents[2]


def test_the_factor_that_was_left_out_is_named_and_only_it() -> None:
    report = uses_misses.run(BenchSettings(ROOT / "packs", ROOT / "model_repository", quick=True))
    assert (report["images"], report["samples"]) == (64, 64)
    assert report["missed"] == report["judge_missed"] == report["redrawn_missed"] == ["glasses"]
    assert report["control_missed"] == report["control_judge_missed"] == []
    assert report["truth_missed"] == ["glasses"]
    assert report["control_truth_missed"] == []
    assert report["truth_error"] < 0.02
    assert report["redrawn_factors"]["glasses"]["left_out"] > 0.8
    assert len(report["factors"]) == len(report["control_factors"]) == 16
    others = [each["left_out"] for name, each in report["factors"].items() if name != "glasses"]
    assert max(others) < 0.5
