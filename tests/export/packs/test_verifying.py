"""A pack that is not whole is told so, file by file."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest
import tomli_w

from relatent_export.cli import main
from relatent_export.nets.networks import Networks
from relatent_export.packs.pack import write_pack
from tests.export.conftest import ROOT
from tests.export.packs.test_pack import INFO


@pytest.fixture
def pack(small: Networks, tmp_path: Path) -> Path:
    write_pack(tmp_path / "small", INFO, small, [])
    return tmp_path / "small"


def told(pack: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["verify", str(pack)]) == 1
    return capsys.readouterr().err


def test_a_whole_pack_is_whole_and_so_is_the_demo(
    pack: Path, small: Networks, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (pack, ROOT / "packs/demo"):
        assert main(["verify", str(folder)]) == 0
    assert f"5 files as the manifest has them, revision {small.revision}" in capsys.readouterr().out


def test_a_pack_is_the_same_wherever_it_lies(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(pack, tmp_path / "elsewhere")
    assert main(["verify", str(tmp_path / "elsewhere")]) == 0


def test_every_missing_altered_and_added_file_is_named(
    pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pack / "encoder.safetensors").unlink()
    (pack / "extra.pt").write_bytes(b"anything")
    (pack / "notes.md").write_text("Documents may lie there.")
    assert told(pack, capsys).splitlines() == [
        f"relatent-export: {pack / 'encoder.safetensors'}: missing",
        f"relatent-export: {pack / 'extra.pt'}: not in the manifest",
    ]
    (pack / "extra.pt").unlink()
    (pack / "generator.safetensors").write_bytes(b"altered")
    assert "generator.safetensors: SHA-256 differs" in told(pack, capsys)


def test_a_revision_that_is_not_the_weights_is_told(
    pack: Path, small: Networks, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = pack / "pack.toml"
    manifest.write_text(manifest.read_text().replace(small.revision, "0" * 64))
    assert f"revision: the manifest says {'0' * 64}, the weights have" in told(pack, capsys)


@pytest.mark.parametrize(
    ("line", "instead", "what"),
    [
        ("resolution = 32", "resolution = 64", "resolution: the manifest says 64, the weights have 32"),
        ('    "perceptual",\n', "", "metrics: the manifest says"),
    ],
)
def test_a_manifest_that_is_not_of_the_weights_is_told(
    pack: Path, capsys: pytest.CaptureFixture[str], line: str, instead: str, what: str
) -> None:
    manifest = pack / "pack.toml"
    assert line in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(line, instead, 1))
    assert what in told(pack, capsys)


def test_a_manifest_that_forgets_the_encoder_is_told(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tomllib.loads((pack / "pack.toml").read_text()) | {"encoder": False}
    del manifest["methods"]["encoder"]
    for method in manifest["methods"].values():
        del method["rates"]["encoder"]
    manifest["presets"]["fast"]["method"] = "hybrid"
    (pack / "pack.toml").write_text(tomli_w.dumps(manifest))
    assert "encoder: the manifest says False, the weights have True" in told(pack, capsys)
