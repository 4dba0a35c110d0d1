"""The tools that `make test-deploy` lays out, and the overlays as they render."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import KUBERNETES, ROOT

TOOLS = Path(sys.prefix) / "deploy" / "bin"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def tool() -> Run:
    """Runs a tool of `make test-deploy`, or promtool of the system's."""

    def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        program = shutil.which(name) if name == "promtool" else shutil.which(TOOLS / name)
        if program is None:
            pytest.fail(
                f"{name} is not there: run make test-deploy, which lays it out or says what to install"
            )
        command = [program, *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def render(tool: Run, tmp_path: Path) -> Callable[..., Path]:
    """Renders an overlay, with components if any, into a file."""

    def rendered(overlay: str, *components: str) -> Path:
        folder = KUBERNETES / "overlays" / overlay
        if components:
            # Kustomize takes files from below its own folder alone, but for bases.
            shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
            folder = tmp_path / "kubernetes" / "overlays" / "tried"
            folder.mkdir()
            wanted: dict[str, Any] = {
                "resources": [f"../{overlay}"],
                "components": [f"../../components/{name}" for name in components],
            }
            (folder / "kustomization.yaml").write_text(yaml.safe_dump(wanted))
        done = tool("kubectl", "kustomize", folder)
        assert done.returncode == 0, done.stderr
        file = tmp_path / f"{overlay}.yaml"
        file.write_text(done.stdout)
        return file

    return rendered
