"""The README's figures come from recorded measurements and from nowhere else."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import figures, figures_of_editing, record

Reports = dict[str, dict[str, Any]]


def _spread(median: float) -> dict[str, float]:
    return {"median": median, "low": median * 0.9, "high": median * 1.1, "count": 5}


@pytest.fixture
def reports() -> Reports:
    environment: dict[str, Any] = {
        "cpu": "A processor",
        "cores": 2,
        "system": "Linux x86_64",
        "python": "3.11.2",
    }
    environment |= {"versions": {"numpy": "1.26.4", "torch": None}}
    batch: dict[str, Any] = {"speedup": _spread(1.51), "wasteful_speedup": _spread(2.52)}
    batch |= {"published_speedup": _spread(1.93)}
    batch |= {"share_of_machine": {"onnxruntime": _spread(0.61), "pytorch": _spread(0.42)}}
    own: Reports = {
        "step": {"batch_1": batch, "batch_8": batch},
        "overhead": {"efficiency_spread": _spread(0.87), "engine": "embedded"},
        "batching": {"gain_8_over_1_spread": _spread(1.21), "graph_gain_8_over_1_spread": _spread(1.13)},
        "start": {"step_ratio": 33.33, "mean_steps": 1000, "censored": True},
        "coordinates": {"step_gain": 11.6, "plain_steps": 116, "censored": False},
        "invariance": {"max_relative_difference": 2.5e-6},
    }
    same: dict[str, Any] = {"quick": False, "pack": "demo", "environment": environment}
    return {name: report | same for name, report in own.items()}


def test_how_long_a_measurement_takes_is_told_as_it_was_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    figures.BENCH.write_text(json.dumps({"methods": {"seconds": 1277}, "domain": {"seconds": 9.7}}))
    told = [line.split(" | ") for line in figures.benches().splitlines()]
    assert {row[0]: row[-1] for row in told[2:]} == {
        "| `methods`": "21 min |",
        "| `domain`": "10 s |",
        "| `editing`": "not recorded |",
        "| `directions`": "not recorded |",
        "| `uses`": "not recorded |",
        "| `texts`": "not recorded |",
        "| `autoscale`": "not recorded |",
        "| `soak`": "not recorded |",
    }


def test_every_recorded_figure_is_told(
    reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    figures.BENCH.write_text(json.dumps(reports))
    told = figures.numbers()
    for figure in (
        "1.51×",
        "1.93×",
        "2.52×",
        "61%",
        "42%",
        "87%",
        "1.21×",
        "1.13×",
        "at least 33.3×",
        "11.6×",
        "2.5e-06",
    ):
        assert figure in told
    assert "2 cores of A processor" in told
    assert "None" not in told


def test_a_bar_that_is_missed_is_told(
    reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    figures.BENCH.write_text(json.dumps(reports))
    assert "short of its bar" not in figures.numbers()
    reports["step"]["batch_8"] = reports["step"]["batch_8"] | {"speedup": _spread(1.29)}
    figures.BENCH.write_text(json.dumps(reports))
    assert "**1.29×** (1.16 to 1.42); short of its bar of 1.3" in figures.numbers()


def test_no_difference_at_all_is_told_in_words(
    reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    reports["invariance"]["max_relative_difference"] = 0.0
    figures.BENCH.write_text(json.dumps(reports))
    assert "**none**" in figures.numbers()


def test_what_was_not_measured_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    monkeypatch.setattr(figures, "QUALITY", tmp_path / "report.json")
    assert "Not measured yet" in figures.numbers()
    assert "Not measured yet" in figures.quality()


def test_sessions_are_told_once_they_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    figures.BENCH.write_text(json.dumps({"editing": {"latency": {}}}))
    assert "Not measured yet" in figures_of_editing.sessions()
    row = {
        "answers_a_second": 41.26,
        "age_ms": {"p50": 28.7, "p90": 53.2, "p99": 90.4},
        "dropped_share": 0.315,
    }
    session = {"moves": row, "exact": row, "events_a_second": 60}
    figures.BENCH.write_text(json.dumps({"editing": {"session": session}}))
    told = figures_of_editing.sessions()
    assert "A slider moved 60 times a second" in told
    assert "| exactly | 41 | 29 | 53 | 90 | 32% |" in told


@pytest.fixture
def checkout(reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which everything was measured and the demo was run."""
    monkeypatch.setattr(record, "ROOT", tmp_path)
    for folder in ("docs", "out/bench", "out/demo"):
        (tmp_path / folder).mkdir(parents=True)
    for name, report in reports.items():
        (tmp_path / "out" / "bench" / f"{name}.json").write_text(json.dumps(report))
    (tmp_path / "out" / "demo" / "contact_sheet.png").write_bytes(b"a picture")
    return tmp_path


def test_recording_takes_all_figures_and_the_picture(checkout: Path, reports: Reports) -> None:
    assert record.main() == 0
    assert json.loads((checkout / "docs" / "bench.json").read_text()) == reports
    assert (checkout / "docs" / "contact_sheet.png").read_bytes() == b"a picture"


def test_figures_of_a_quick_run_are_not_recorded(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = checkout / "out" / "bench" / "start.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quick": True}))
    assert record.main() == 1
    assert "start ran with --quick" in capsys.readouterr().err
    assert not (checkout / "docs" / "bench.json").exists()


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("overhead", {"engine": "local"}, "overhead was measured with the local engine, not through Triton"),
        ("start", {"pack": "tiny"}, "start was measured with pack tiny, not demo"),
        ("step", {"environment": {"cores": 2, "commit": "b"}}, "the figures differ in their commit"),
    ],
)
def test_figures_that_do_not_belong_together_are_not_recorded(
    checkout: Path, capsys: pytest.CaptureFixture[str], name: str, change: dict[str, Any], why: str
) -> None:
    for path in (checkout / "out" / "bench").iterdir():
        report = json.loads(path.read_text()) | {"environment": {"cores": 2, "commit": "a"}}
        path.write_text(json.dumps(report | (change if path.stem == name else {})))
    assert record.main() == 1
    assert why in capsys.readouterr().err
    assert not (checkout / "docs" / "bench.json").exists()


def test_an_incomplete_set_is_not_recorded(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "out" / "bench" / "step.json").unlink()
    assert record.main() == 1
    assert "no figures of step: run make bench" in capsys.readouterr().err


def _overload(reports: Reports) -> dict[str, Any]:
    load = {
        "offered_over_capacity": _spread(2.0),
        "goodput_over_capacity": _spread(0.97),
        "shares": {"in_time": 0.49, "refused": 0.51},
        "refused_promptly": 0.996,
    }
    figures: dict[str, Any] = {"loads": {"2": load}, "steps": 50, "seconds_alone": 0.25}
    figures |= {"deadline_seconds": 1.0, "capacity_a_second": _spread(6.1), "engine": "embedded"}
    same = {key: reports["step"][key] for key in ("quick", "pack", "environment")}
    return figures | same


def test_what_is_answered_under_overload_is_told(
    reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    assert "Not measured yet" in figures.overload()
    figures.BENCH.write_text(json.dumps({"overload": _overload(reports)}))
    assert "| 2.00 | **97%** (87% to 107%) | 51% | 99.6% |" in figures.overload()


def test_overload_is_recorded_by_itself_with_its_picture(
    reports: Reports, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = checkout / "out" / "bench"
    for path in folder.iterdir():
        path.unlink()
    (folder / "overload.png").write_bytes(b"a picture")
    (folder / "overload.json").write_text(json.dumps(_overload(reports) | {"quick": True}))
    assert record.main() == 1
    assert "overload ran with --quick" in capsys.readouterr().err
    (folder / "overload.json").write_text(json.dumps(_overload(reports)))
    assert record.main() == 0
    assert (checkout / "docs" / "overload.png").read_bytes() == b"a picture"
    assert json.loads((checkout / "docs" / "bench.json").read_text())["overload"]["steps"] == 50


def test_seconds_to_a_quality_are_told_and_bounds_are_called_so(
    reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "BENCH", tmp_path / "bench.json")
    assert "Not measured yet" in figures.seconds_to_quality()

    def peer(steps: int, won: str) -> dict[str, Any]:
        return {at: {"steps": steps, "won": won} for at in ("one", "eight")}

    own = {
        "ours": {
            "method": "hybrid",
            "steps": 30,
            "seconds_an_image": {"one": _spread(0.18), "eight": _spread(0.12)},
        },
        "goal": {"one": 0.00712, "eight": 0.00734},
        "images": {"one": 4, "eight": 8},
        "speedup_over_idinvert_style": dict.fromkeys(("one", "eight"), _spread(97.0) | {"censored": True}),
        "speedup_over_image2stylegan_style": dict.fromkeys(
            ("one", "eight"), _spread(41.0) | {"censored": False}
        ),
        "idinvert_style": peer(1000, "published"),
        "image2stylegan_style": peer(480, "swept"),
        "environment": reports["step"]["environment"],
    }
    figures.BENCH.write_text(json.dumps({"quality": own}))
    told = figures.seconds_to_quality()
    assert "distance of 0.0071 over 4 drawings, or of 0.0073 over 8" in told
    assert "| `hybrid`, 30 steps, served | **0.18 s** (0.16 to 0.20) | **0.12 s** (0.11 to 0.13) |" in told
    assert "| at least **97.0×** (87.3 to 107), 1,000 steps, published settings |" in told
    assert "| **41.0×** (36.9 to 45.1), 480 steps, swept settings |" in told
