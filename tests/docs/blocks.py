"""The code in the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BRING_YOUR_OWN = ROOT / "docs" / "bring-your-own.md"
DIRECTIONS = ROOT / "docs" / "directions.md"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """The code of a page in a language."""
    return [code for found, code in _BLOCK.findall(page.read_text()) if found == language]


def run(command: list[str], folder: Path, address: str = "") -> None:
    """Run what the documentation tells to type, in a folder and for a service."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "RELATENT_ADDRESS": address}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
