"""Each tutorial, followed word for word in a copy of the sources."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.fixtures.checkpoints.stylegan2 import rosinality_tensors
from tests.fixtures.demo_service import serving

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "extending"
COPIED = ("relatent", "service", "export", "tests", "proto", "scripts", "Makefile", "pyproject.toml")
_BLOCK = re.compile(
    r"(?:^`(?P<path>[\w./]+)`:\n\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.M
)
PROTOC = Path(sys.prefix) / "protoc" / "bin" / "python"
SMALL = (6, 6, 4)
"""Channels of a generator of 16 pixels, the least that can be measured."""


@dataclass(frozen=True)
class Copy:
    """A copy of the sources, and commands that run it."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        places = (self.root, self.root / "service", self.root / "export")
        path = os.pathsep.join([str(self.root / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        return {"PYTHONPATH": os.pathsep.join(map(str, places)), "PATH": path}

    def follow(self, page: str, first: int, last: int, address: str = "") -> None:
        """Do what some of a page's blocks say."""
        found = [match.groupdict() for match in _BLOCK.finditer((TUTORIALS / page).read_text())]
        for block in found[first:last]:
            self._do(block["language"], block["path"], block["code"], address)

    def _do(self, language: str, path: str | None, code: str, address: str) -> None:
        match language:
            case "diff":
                self._apply(code)
            case "sh":
                self._run(["sh", "-eux", "-c", code], address)
            case _:
                assert path is not None, f"which file is this block of {language}?"
                (self.root / path).write_text(code)

    def _run(self, command: list[str], address: str) -> None:
        environment = {**os.environ, **self.environment, "RELATENT_ADDRESS": address}
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _apply(self, code: str) -> None:
        """Apply a diff whose hunks are found by their lines; one of new lines alone goes to the end."""
        head, *hunks = re.split(r"^@@\n", code, flags=re.M)
        path = self.root / re.search(r"^\+\+\+ b/(\S+)$", head, re.M)[1]  # type: ignore[index]
        text = path.read_text()
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line[0] in " -")
            new = "".join(line[1:] for line in lines if line[0] in " +")
            if not old:
                text += new
                continue
            assert text.count(old) == 1, f"{path}: expected once:\n{old}"
            text = text.replace(old, new)
        path.write_text(text)


def _kept(*stamps: str) -> str:
    """Arguments by which `make` uses this environment as it is."""
    return " ".join([f'VENV="{sys.prefix}"', *(f'-o "{sys.prefix}/.{stamp}"' for stamp in stamps)])


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    root = tmp_path / "copy"
    root.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, root)
    programs = {
        "relatent-export": f'"{sys.executable}" -P -m relatent_export.cli "$@"',
        "relatent": f'"{sys.executable}" -P -m relatent "$@"',
        # The environment is the checkout's, and never set up from here, whatever its stamps say.
        "make": f'/usr/bin/env PATH="{os.environ["PATH"]}" make {_kept("created", "all", "protoc")} "$@"',
    }
    (root / "bin").mkdir()
    for name, command in programs.items():
        program = root / "bin" / name
        program.write_text(f"#!/bin/sh\nexec {command}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Copy(root)


def test_a_family_is_added_as_the_page_says(copy: Copy) -> None:
    tensors = {
        f"net.{'start' if name == 'input.input' else name}": tensor
        for name, tensor in rosinality_tensors(SMALL).items()
    }
    torch.save(tensors, copy.root / "acme.pt")
    copy.follow("add-a-family.md", 0, 99)


def test_a_method_is_added_as_the_page_says_and_the_service_runs_it(copy: Copy, tmp_path: Path) -> None:
    torch.save({"g_ema": rosinality_tensors(SMALL)}, copy.root / "stylegan2.pt")
    copy.follow("add-a-method.md", 0, 3)
    with serving(copy.root, tmp_path) as address:  # no line of the service has changed
        copy.follow("add-a-method.md", 3, 99, address)


def test_a_finder_is_added_as_the_page_says(copy: Copy) -> None:
    torch.save({"g_ema": rosinality_tensors(SMALL)}, copy.root / "stylegan2.pt")
    copy.follow("add-a-finder.md", 0, 99)


def test_an_rpc_is_added_as_the_page_says(copy: Copy) -> None:
    assert PROTOC.exists(), "no protoc here: make unit sets it up"
    copy.follow("add-an-rpc.md", 0, 99)
