"""A pack of an earlier format keeps everything but the manifest's form."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from relatent.core.manifest import MANIFEST, PackError
from relatent.core.pack import read_pack
from relatent_export.cli import main
from tests.fixtures.tiny import write_tiny
from tests.relatent.core.test_pack import as_format_1


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    packs, _ = write_tiny(tmp_path)
    return packs / "tiny"


def test_a_pack_of_format_1_is_renewed_in_place(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    as_format_1(pack)
    before = {path.name: path.read_bytes() for path in pack.iterdir()}
    read = read_pack(pack)
    assert main(["migrate", str(pack)]) == 0
    assert capsys.readouterr().out == f"{pack}: renewed\n"
    assert tomllib.loads((pack / MANIFEST).read_text())["format"] == 2
    after = read_pack(pack)
    assert (after.methods, after.revision) == (read.methods, read.revision)
    changed = {path.name for path in pack.iterdir() if path.read_bytes() != before.get(path.name)}
    assert changed == {MANIFEST}


def test_a_pack_of_today_is_left_alone(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (pack / MANIFEST).stat().st_mtime_ns
    assert main(["migrate", str(pack)]) == 0
    assert capsys.readouterr().out == f"{pack}: already as today\n"
    assert (pack / MANIFEST).stat().st_mtime_ns == before


def test_what_is_no_pack_is_refused_by_name(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pack / MANIFEST).write_text("format = 7\n")
    assert main(["migrate", str(pack)]) == 1
    assert f"{pack / MANIFEST}: format: expected 1 or 2, got 7" in capsys.readouterr().err
    with pytest.raises(PackError):
        read_pack(pack)
