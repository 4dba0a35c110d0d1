"""What the soak found is told as it was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.soak_faults import Fault
from bench.soak_verdict import WITHIN
from scripts import figures
from scripts.figures_of_soak import FAULTS, soak

HELD = {"resident_mib": [200.0, 203.0], "resident_growth": 0.015, "descriptors": [40, 41], "looks": 9}
FOUND = {
    "lost": 2,
    "answered": {"inversion": 900, "edit": 98},
    "faults": {
        fault: {"times": 3, "seconds_until_whole": 12.3, "seconds_until_whole_most": 14.2}
        | {"slowest_call_seconds": 31.0}
        for fault in Fault
    },
    "calm_seconds": {"inversion": 1.234, "edit": 0.12},
    "held": {"service_0": HELD, "service_1": HELD, "clients": HELD},
    "order": ["service_killed"] * 20,
    "minutes": 20.0,
    "callers": 6,
    "complaints": ["2 calls were lost"],
}


def test_every_fault_is_told_with_what_was_lost_and_what_processes_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    figures.BENCH.write_text(json.dumps({"soak": FOUND}))
    told = soak()
    assert "20 minutes, 20 faults, 6 callers at a time: 2 of 1,000 calls lost" in told
    for fault in Fault:
        within = WITHIN[fault]
        seconds = f"12 s | 14 s | {within.whole:.0f} s | 31 s | {within.call:.0f} s"
        assert f"| {FAULTS[fault]} | 3 | {seconds} |" in told
    assert "Not as promised: 2 calls were lost." in told
    assert told.count("| 200 to 203 MiB (+1.5%) | 40 to 41 |") == 3


def test_without_a_soak_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "none.json")
    assert "python -m bench soak" in soak()
