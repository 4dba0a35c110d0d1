"""ONNX Runtime reports to nobody how it is used, whichever part of Relatent uses it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SILENT = ("relatent_service.engine", "relatent_export", "bench")
"""Packages whose import turns the reports off."""


@pytest.mark.parametrize("package", SILENT)
def test_a_package_that_runs_graphs_turns_the_reports_off(package: str, tmp_path: Path) -> None:
    hidden = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    program = f"import os, {package}, onnxruntime; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**environment, "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1\n"
    # Where it reports, it keeps an identifier of the machine at home.
    assert not list(tmp_path.rglob("*"))


def test_onnx_runtime_is_imported_by_such_packages_alone() -> None:
    imports = re.compile(r"^\s*(import|from) onnxruntime\b", re.MULTILINE)
    files = [
        file
        for part in ("relatent", "service", "export", "bench", "scripts")
        for file in (ROOT / part).rglob("*.py")
    ]
    users = [file for file in files if imports.search(file.read_text())]
    assert users
    folders = [ROOT / "service/relatent_service/engine", ROOT / "export", ROOT / "bench"]
    assert [user for user in users if not any(user.is_relative_to(folder) for folder in folders)] == []
