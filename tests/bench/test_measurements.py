"""Each measurement runs and says what it promises; speed is not judged here."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import batching, invariance, overhead, overload, start
from bench.graphs import Array, Graphs
from bench.measurement import BenchSettings
from bench.overload_picture import draw
from relatent_service.engine.embedded.child import why_not

ROOT = Path(__file__).parents[2]


def test_the_command_prints_one_line_of_json_and_writes_the_same(
    settings: BenchSettings, tmp_path: Path
) -> None:
    where = ["--packs", settings.packs, "--repository", settings.repository, "--out", tmp_path]
    command = [sys.executable, "-m", "bench", "invariance", "--pack", "tiny", "--quick", *map(str, where)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert report == json.loads((tmp_path / "invariance.json").read_text())
    assert (report["bench"], report["pack"], report["quick"]) == ("invariance", "tiny", True)
    facts = report["environment"]
    assert facts["cores"] >= 1
    assert facts["cpu"]
    assert facts["versions"]["onnxruntime"]


def test_invariance_finds_no_difference_where_there_is_none(settings: BenchSettings) -> None:
    assert invariance.run(settings)["max_relative_difference"] <= 1e-6


def test_invariance_finds_a_difference_that_batch_mates_make(
    settings: BenchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Graphs.run

    def leaking(self: Graphs, kind: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        outputs = honest(self, kind, inputs)
        if kind == "refine":
            outputs["next.best_w"] = outputs["next.best_w"] + 0.01 * outputs["next.best_w"].mean(0)
        return outputs

    monkeypatch.setattr(Graphs, "run", leaking)
    assert invariance.run(settings)["max_relative_difference"] > 1e-4


def test_start_counts_the_steps_to_the_hybrids_quality_and_says_where_it_gave_up(
    settings: BenchSettings,
) -> None:
    report = start.run(settings)
    assert report["step_ratio"] == pytest.approx(report["mean_steps"] / 30, rel=1e-3)
    distances = report["perceptual"]
    reached = distances[f"mean_{report['mean_steps']}"] <= distances["hybrid_30"]
    assert reached is not report["censored"]


def test_start_finds_the_very_step(settings: BenchSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the encoder replaced by the mean, both sides are the same and meet at the bar's own step."""
    pack_mean: list[Array] = []

    def encode(self: Graphs, images: Array) -> Array:
        pack_mean.append(self.pack.mean)
        return np.repeat(self.pack.mean[None], len(images), axis=0)

    monkeypatch.setattr(Graphs, "encode", encode)
    monkeypatch.setattr("bench.start.COMPARED_STEPS", 6)
    monkeypatch.setattr("bench.start.read_pack", _with_one_learning_rate)
    report = start.run(settings)
    assert pack_mean
    assert report["mean_steps"] == 6
    assert report["censored"] is False


def _with_one_learning_rate(folder: Path) -> object:
    from relatent.core.methods import StartRule
    from relatent.core.pack import read_pack

    pack = read_pack(folder)
    method = replace(pack.default_method, rates=dict.fromkeys(StartRule, 0.02))
    return replace(pack, methods={method.name: method})


@pytest.fixture
def engine(settings: BenchSettings) -> BenchSettings:
    """With a real Triton, where one can start."""
    return replace(settings, engine="embedded" if why_not() is None else "local")


def test_overhead_compares_served_steps_with_direct_ones(engine: BenchSettings) -> None:
    report = overhead.run(engine)
    assert report["served_steps_a_second"]["median"] > 0
    assert report["direct_steps_a_second"]["median"] > 0
    # Of a tiny graph, next to nothing; more than all of it would be the wrong way round.
    assert 0 < report["efficiency"] < 1
    assert ("tiny_refine" in report["share_of_served_time"]) is (engine.engine == "embedded")


def test_batching_measures_every_number_of_callers_and_the_batches_triton_made(engine: BenchSettings) -> None:
    report = batching.run(engine)
    assert set(report["callers"]) == {"1", "8"}
    assert report["gain_8_over_1"] > 0
    assert report["graph_gain_8_over_1"] > 0
    if engine.engine == "embedded":
        assert report["callers"]["1"]["mean_batch"] == 1
        assert 1 <= report["callers"]["8"]["mean_batch"] <= 8


def test_overload_accounts_for_every_call_and_is_drawn(settings: BenchSettings, tmp_path: Path) -> None:
    report = overload.run(replace(settings, engine="local"))
    for load, outcome in report["loads"].items():
        assert sum(outcome["shares"].values()) == pytest.approx(1, rel=1e-2), load
        assert set(outcome["shares"]) <= {"in_time", "refused", "late"}
        assert outcome["calls"] > 0
        assert outcome["goodput_over_capacity"]["median"] <= 2, "more than can be done cannot be answered"
    assert report["goodput_at_5"] == report["loads"]["5"]["goodput_over_capacity"]["median"]
    draw(report, tmp_path / "one.png")
    draw(report, tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
