from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relatent_service.engine.core_times import SHORT_SECONDS
from relatent_service.engine.engine import Array
from relatent_service.engine.sessions import BatchSession, open_session


def test_onnx_runtime_reports_to_nobody_and_leaves_nothing_at_home(tmp_path: Path, repository: Path) -> None:
    home, model = tmp_path / "home", repository / "toy_double" / "1" / "model.onnx"
    home.mkdir()
    hidden = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    for opening in (
        f"from relatent_service.engine.sessions import open_session; open_session({str(model)!r})",
        "import relatent_service.engine.local, onnxruntime",
    ):
        command = [sys.executable, "-c", opening]
        subprocess.run(command, env={**environment, "HOME": str(home)}, check=True)
        assert not list(home.rglob("*"))


class Recorded:
    """A graph that doubles, and notes the batches that it was run with."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.batches: list[int] = []
        self._seconds = seconds

    def get_inputs(self) -> list[Any]:
        return []

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="doubled")]

    def run(self, names: Sequence[str] | None, inputs: Mapping[str, Array], options: Any) -> list[Array]:
        self.batches.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise ValueError("expected none below 0")
        time.sleep(self._seconds)
        return [2 * inputs["x"]]


def samples(count: int) -> dict[str, NDArray[np.float32]]:
    return {"x": np.arange(count, dtype=np.float32)[:, None]}


@pytest.mark.parametrize(
    ("batch", "by_one", "by_all"),
    [(1, [], [1]), (2, [], [2]), (3, [1, 1, 1], []), (8, [2, 2, 2], [2]), (9, [3, 3, 3], [])],
)
def test_samples_are_dealt_out_to_the_cores_and_those_left_over_computed_by_all(
    batch: int, by_one: list[int], by_all: list[int]
) -> None:
    together, alone = Recorded(SHORT_SECONDS), Recorded(3 * SHORT_SECONDS)
    (doubled,) = BatchSession(together, alone, 3).run(None, samples(batch))
    np.testing.assert_array_equal(doubled, 2 * samples(batch)["x"])
    assert (alone.batches, together.batches) == (by_one, by_all)


def test_a_sample_that_takes_a_moment_is_left_to_one_core_once_that_is_known() -> None:
    together, alone = Recorded(), Recorded()
    session = BatchSession(together, alone, 2)
    for _ in range(3):
        session.run(None, samples(1))
    assert (together.batches, alone.batches) == ([1], [1, 1])


def test_so_it_is_while_all_cores_together_take_as_long_as_one() -> None:
    together, alone = Recorded(3 * SHORT_SECONDS), Recorded(2 * SHORT_SECONDS)
    session = BatchSession(together, alone, 2)
    for batch in (3, 1, 3):
        (doubled,) = session.run(["doubled"], samples(batch))
        np.testing.assert_array_equal(doubled, 2 * samples(batch)["x"])
    assert (together.batches, alone.batches) == ([1], [1, 1, 1, 1, 1, 1])


def test_one_core_runs_whole_batches() -> None:
    only = Recorded()
    BatchSession(only, None, 1).run(None, samples(5))
    assert only.batches == [5]


def test_what_fails_on_one_core_fails_the_run_once_the_others_are_done() -> None:
    alone = Recorded(0.05)
    wrong = {"x": np.array([[1], [-1], [2]], np.float32)}
    for place in range(3):
        alone.batches.clear()
        with pytest.raises(ValueError, match="expected none below 0"):
            BatchSession(Recorded(), alone, 3).run(None, {"x": np.roll(wrong["x"], place, axis=0)})
        assert alone.batches == [1, 1, 1]


def test_each_sample_is_answered_alike_whichever_cores_compute_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = Path("model_repository/demo_synthesize/1/model.onnx")
    monkeypatch.setattr("relatent_service.engine.sessions.available_cores", lambda: 2)
    session = open_session(graph)
    (code,) = session.get_inputs()
    codes = np.random.default_rng(0).standard_normal((5, *code.shape[1:])).astype(np.float32)
    each = [session.run(["image"], {code.name: codes[place : place + 1]})[0][0] for place in range(5)]
    together = session.run(["image"], {code.name: codes})[0]
    assert np.abs(np.stack(each).astype(int) - together).max() <= 1
