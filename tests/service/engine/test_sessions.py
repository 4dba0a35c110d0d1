from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


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
