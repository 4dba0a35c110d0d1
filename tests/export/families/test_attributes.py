"""Importing with attributes of somebody else's networks, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from relatent.core.pack import read_pack
from relatent_export.cli import main
from tests.export.attributes.networks import node, write_means
from tests.fixtures.checkpoints.families import write_rosinality


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_rosinality(tmp_path)
    return tmp_path


def imported(*arguments: str) -> int:
    return main(["import", "stylegan2.pt", "--name", "own", *arguments])


def test_graphs_described_by_flags_and_by_files_come_together(here: Path) -> None:
    write_means(here / "tone.onnx")
    (here / "own.toml").write_text(
        'file = "tone.onnx"\n[[attributes]]\nname = "warm"\nunit = "%"\nscale = 100'
    )
    flags = ["--attribute-colour", "BGR", "--attribute-size", "8", "--attribute-names", "one, two, three"]
    assert imported("--attributes", "own.toml", "tone.onnx", *flags, "--codes", "1") == 0
    pack = read_pack(here / "packs" / "own")
    assert pack.attribute_names == ("warm", "one", "two", "three")
    warm, *_, blue_last = pack.attributes
    # Red is the first of RGB, and the last of BGR.
    assert (warm.low, warm.high) == pytest.approx((100 * blue_last.low, 100 * blue_last.high), rel=1e-3)
    assert pack.provenance.count("tone.onnx (attribute network, SHA-256 ") == 2
    assert pack.controls is not None
    assert main(["verify", "packs/own"]) == 0


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--attributes", "rough.onnx"], "rough.onnx: rough_0: expected finite answers to samples, got nan"),
        (["--attributes", "gone.onnx"], "gone.onnx: No such file or directory"),
        (["--attributes", "gone.toml"], "gone.toml: No such file or directory"),
        (["--attributes", "stylegan2.pt"], "stylegan2.pt: expected an ONNX graph, got "),
        (["--attribute-mean", "0.5"], "--attribute-mean: expected --attributes besides, got none"),
        (["--attributes", "rough.onnx", "--attribute-size", "a"], "--attribute-size: expected numbers with"),
        (["--attributes", "rough.onnx", "--attribute-names", "a"], "rough.onnx: names: expected 3, one for"),
    ],
)
def test_what_cannot_read_attributes_is_refused_and_nothing_is_left(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], what: str
) -> None:
    write_means(here / "rough.onnx", [node("Neg", ["means"], "less"), node("Log", ["less"], "answer")])
    assert imported(*arguments) == 1
    assert f"relatent-export: {what}" in capsys.readouterr().err
    assert not list(here.glob("packs/*"))
