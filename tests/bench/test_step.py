from pathlib import Path

import numpy as np
import pytest

from bench import coordinates, step
from bench.measurement import BenchSettings
from relatent_export.packs.pack import PackFacts, write_pack
from relatent_export.triton.repository import write_models
from tests.fixtures.small import small_networks

ROOT = Path(__file__).parents[2]


def test_the_graph_and_the_loops_do_the_same_work_and_all_are_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the bundled pack, whose weights exist in both forms, found where the settings say."""
    monkeypatch.chdir(tmp_path)
    report = step.run(BenchSettings(ROOT / "packs", ROOT / "model_repository", quick=True))
    for batch in ("batch_1", "batch_8"):
        figures = report[batch]
        assert figures["largest_loss_difference"] < 0.01
        assert figures["gflop_a_step"] > 0
        # No upper bound: on a busy machine one product may be slowed more than a step's mean.
        assert figures["share_of_machine"]["onnxruntime"]["median"] > 0
        loops = {"pytorch", "pytorch_published", "pytorch_wasteful"}
        assert set(figures["seconds_a_step"]) == {"onnxruntime", *loops}
    assert report["speedup_batch_8"] == report["batch_8"]["speedup"]["median"]
    assert report["published_speedup_batch_1"] == report["batch_1"]["published_speedup"]["median"]
    assert report["published_speedup_batch_8"] == report["batch_8"]["published_speedup"]["median"]


def test_steps_without_coordinates_are_counted_to_what_those_with_them_reach(tmp_path: Path) -> None:
    networks = small_networks()
    facts = PackFacts("small", "Random.", "CC0-1.0", "A test.", {"encoder": 0.01, "mean": 0.02})
    write_pack(tmp_path / "small", facts, networks, [])
    write_models("small", networks, tmp_path / "repository")
    report = coordinates.run(BenchSettings(tmp_path, tmp_path / "repository", pack="small", quick=True))
    assert report["steps"] == 10
    assert report["step_gain"] == pytest.approx(report["plain_steps"] / 10)
    assert report["censored"] == (report["plain_steps"] == 20)
    assert report["perceptual"] > 0


def test_sides_whose_losses_differ_are_not_compared() -> None:
    losses = np.array([[1.0, 0.5], [2.0, 1.0]])
    near, far = losses * 1.005, losses * [1.0, 1.02]
    assert step.largest_difference(losses, {"near": near, "same": losses}) == pytest.approx(0.005, rel=0.01)
    with pytest.raises(RuntimeError, match="differ from those of far by"):
        step.largest_difference(losses, {"near": near, "far": far})
    with pytest.raises(RuntimeError, match="by nan"):
        step.largest_difference(losses * np.nan, {"near": near})
