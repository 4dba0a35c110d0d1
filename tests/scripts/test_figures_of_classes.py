"""What is told of two classes under overload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import figures
from scripts.figures_of_classes import overload_classes


def spread(median: float) -> dict[str, float]:
    return {"median": median, "low": median - 0.1, "high": median + 0.1, "count": 3}


def report(**of_all: float) -> dict[str, Any]:
    load = {
        "offered_over_capacity": spread(5.1),
        "goodput_over_capacity": spread(0.93),
        "bulk_share": spread(0.21),
        "all": of_all,
        "all_interactive": {"over_deadline": {"p50": 0.61, "p99": 0.97}},
    }
    return {
        "loads": {"5": load},
        "steps": 50,
        "seconds_alone": 0.46,
        "capacity_a_second": spread(2.86),
        "few_callers_over_capacity": {"1": 0.632, "4": 0.9632},
        "deadline_seconds": {"interactive": 1.84, "plain_edit": 0.92, "bulk": 18.4},
        "edits_an_inversion": {"plain_edit": 31.2, "exact_edit": 7.1},
        "quota_share": 0.025,
        "environment": {"cores": 2, "cpu": "a processor", "system": "here", "python": "3.11"}
        | {"versions": {"numpy": "1.26"}, "commit": "abc"},
    }


def test_goodput_bulks_part_and_how_soon_who_hears_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    assert "Not measured yet" in overload_classes()
    measured = report(refused_promptly=0.991, refusal_seconds_95th=0.0123)
    figures.BENCH.write_text(json.dumps({"overload_classes": measured}))
    told = overload_classes()
    assert "| 5.10 | **93%** (83% to 103%) | 21% | 0.61 | 0.97 | 99.1% | 12 ms |" in told
    assert "31 plain edits, or 7 exact ones" in told
    assert "The quota is 2.5% of capacity." in told
    assert "so many at a time: 1 63%, 4 96%." in told
    assert "overload_classes.png" in told


def test_where_nobody_was_refused_nothing_is_said_of_refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    figures.BENCH.write_text(json.dumps({"overload_classes": report()}))
    assert "| 0.97 |  |  |" in overload_classes()
