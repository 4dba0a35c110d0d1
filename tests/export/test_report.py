from __future__ import annotations

import json

import pytest
import torch

from export.demo.inversion_report import Curve
from export.demo.world_report import frechet_distance
from tests.export.conftest import ROOT


def test_frechet_distance_of_known_gaussians() -> None:
    random = torch.Generator().manual_seed(0)
    a = torch.randn(50_000, 3, generator=random, dtype=torch.float64)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(a, a + torch.tensor([1.0, 2.0, 0.0])) == pytest.approx(5, rel=1e-6)
    # N(0, 1) against N(0, 4) in each of three axes: (2 - 1)² each.
    assert frechet_distance(a, a * 2) == pytest.approx(3, rel=0.03)


def test_a_curve_finds_the_first_point_that_is_good_enough() -> None:
    curve = Curve((0, 10, 20), (0.3, 0.2, 0.1), (3.0, 2.0, 1.0))
    assert curve.at(10) == (0.2, 2.0)
    assert curve.first_reaching(2.0) == 10
    assert curve.first_reaching(1.5) == 20
    assert curve.first_reaching(0.5) is None


def test_the_demo_packs_report_meets_the_bars_of_measuring_and_inverting() -> None:
    """Two bars are not here, as they are missed: variety and the ratio of steps; see the pack's README."""
    report = json.loads((ROOT / "packs/demo/report.json").read_text())
    assert sum(value >= 0.95 for value in report["attribute_r2"].values()) >= 14
    mse = report["mse"]
    assert mse["hybrid_100"] <= mse["encoder"] / 2 or mse["hybrid_100"] < 0.002
    assert set(report["perceptual"]) == set(mse) == {"encoder", "hybrid_100", "mean_100", "mean_1000"}
    assert set(report["std_ratio"]) == set(report["attribute_r2"])
    assert report["fid"] > report["fid_reference"] > 0
