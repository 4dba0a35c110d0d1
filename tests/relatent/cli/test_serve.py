"""`relatent serve` starts our service, whatever lies in its way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from relatent.cli import serve
from relatent.client.errors import InputError

IMPOSTOR = "raise SystemExit('somebody else was started')\n"


@pytest.fixture
def impostors(tmp_path: Path) -> Path:
    """A folder of a user's, in which everything has the names of ours."""
    for name in ("service", "export", "relatent_service", "relatent_export", "grpc", "json"):
        package = tmp_path / name
        package.mkdir()
        for module in ("__init__", "__main__", "settings", "main"):
            (package / f"{module}.py").write_text(IMPOSTOR)
    return tmp_path


def started(words: list[str], folder: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_neither_the_working_directory_nor_pythonpath_stands_in_for_the_service(impostors: Path) -> None:
    said = started(serve.command(["--help"]), impostors)
    assert "usage: relatent serve" in said
    assert "--max-inflight" in said


def test_a_folder_with_a_service_of_somebodys_own_is_no_hindrance(tmp_path: Path) -> None:
    for name in ("service", "export"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(IMPOSTOR)
        (tmp_path / name / "__main__.py").write_text(IMPOSTOR)
    said = started([sys.executable, "-m", "relatent", "serve", "--help"], tmp_path)
    assert "usage: relatent serve" in said


def test_help_needs_nothing_of_what_serving_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = serve._installed
    monkeypatch.setattr(serve, "_installed", lambda name: name.startswith("relatent") and installed(name))
    assert serve.command(["--help"])[-1] == "--help"
    with pytest.raises(InputError, match=r"prometheus_client, onnxruntime: pip install 'relatent\[serve\]'"):
        serve.command([])


def test_the_service_tells_its_flags_without_what_it_serves_with() -> None:
    """As where the client alone is installed."""
    program = (
        "import sys\n"
        "absent = 'onnxruntime prometheus_client tritonclient grpc_health grpc_reflection'\n"
        "for name in absent.split():\n"
        "    sys.modules[name] = None\n"
        "import runpy\n"
        "sys.argv = ['relatent_service', '--help']\n"
        "runpy.run_module('relatent_service', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage: relatent serve" in done.stdout
