"""The table of what generators miss says what was measured."""

from __future__ import annotations

from typing import Any

import pytest

from scripts import figures_of_misses


def factors(**left_out: float) -> dict[str, Any]:
    return {name: {"left_out": share} for name, share in left_out.items()}


def test_the_table_has_both_readers_and_says_so_where_nothing_was_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = {
        "missed": ["glasses"],
        "judge_missed": ["glasses", "brow"],
        "factors": factors(glasses=0.95, smile=0.2, brow=0.1),
        "judge_factors": factors(glasses=0.9, smile=0.2, brow=0.5),
        "truth_factors": factors(glasses=0.8),
        "control_missed": [],
        "control_judge_missed": [],
        "control_factors": factors(glasses=0, smile=0.1),
        "control_judge_factors": factors(glasses=0.05, smile=0),
        "redrawn_missed": ["glasses"],
        "redrawn_factors": factors(glasses=1, smile=0),
    }
    monkeypatch.setattr(figures_of_misses, "recorded", lambda name: {"misses": report})
    first, control, redrawn = figures_of_misses.misses().splitlines()[2:]
    assert "| 95 % (90 %) | 80 % | 20 % of smile (50 % of brow) | glasses (glasses, brow) |" in first
    assert "| 0 % (5 %) |  | 10 % of smile (none) | nothing (nothing) |" in control
    assert "| 100 % |  | none | glasses |" in redrawn
    monkeypatch.setattr(figures_of_misses, "recorded", lambda name: {})
    assert "python -m bench uses" in figures_of_misses.misses()
