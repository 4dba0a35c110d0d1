from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.engine import sessions


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 8), ("250000 100000", 3), ("5000 100000", 1)])
def test_threads_keep_within_a_containers_quota(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(sessions, "CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    assert sessions.available_cores() == expected


def test_without_a_quota_every_core_of_the_affinity_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "CPU_QUOTA", tmp_path / "absent")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3})
    assert sessions.available_cores() == 2


def test_onnx_runtime_reports_to_nobody_and_leaves_nothing_at_home(tmp_path: Path, repository: Path) -> None:
    home, model = tmp_path / "home", repository / "toy_double" / "1" / "model.onnx"
    home.mkdir()
    hidden = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    for opening in (
        f"from service.engine.sessions import open_session; open_session({str(model)!r})",
        "import service.engine.local, onnxruntime",
    ):
        command = [sys.executable, "-c", opening]
        subprocess.run(command, env={**environment, "HOME": str(home)}, check=True)
        assert not list(home.rglob("*"))
