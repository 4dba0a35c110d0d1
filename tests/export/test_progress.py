"""Bars are for terminals."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from relatent_export.cli import main
from relatent_export.progress import progress
from tests.export.conftest import ROOT
from tests.fixtures.checkpoints.families import FAMILIES


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, drawn in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr("sys.stderr", stream)
        assert list(progress(range(3), "counting")) == [0, 1, 2]
        assert ("counting" in stream.getvalue()) is drawn


def test_an_import_writes_nothing_but_its_result_where_no_terminal_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (generator,) = FAMILIES["rosinality"](tmp_path)
    assert main(["import", str(generator), "--name", "own"]) == 0
    assert capfd.readouterr() == ("packs/own\n", "")


def test_every_bar_of_export_is_one_of_these() -> None:
    using = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "export").rglob("*.py")
        if re.search(r"^\s*(from|import) tqdm|\btrange\b", path.read_text(), re.MULTILINE)
    }
    assert using == {"export/relatent_export/progress.py"}
