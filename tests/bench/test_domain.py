"""The in-domain score's measurement: what it counts, and that it tells drawings from others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import domain
from bench.measurement import BenchSettings

ROOT = Path(__file__).parents[2]


def test_auc_is_the_share_of_pairs_in_the_right_order_and_half_of_equal_ones() -> None:
    inside = np.array([1.0, 2.0])
    assert domain.auc(inside, np.array([3.0, 4.0])) == 1
    assert domain.auc(inside, np.array([0.0])) == 0
    assert domain.auc(inside, np.array([2.0])) == pytest.approx(0.75)


def test_a_few_drawings_are_told_from_all_that_are_none() -> None:
    report = domain.run(BenchSettings(ROOT / "packs", ROOT / "model_repository", quick=True))
    assert report["images"] == 8
    for name in ("noise", "photographs", "upside_down", "shuffled_patches"):
        assert report["auc"][name] >= 0.99
        assert report["refused_at"]["0.001"][name] == 1
    assert report["refused_at"]["0.001"]["drawings"] == 0
