"""`relatent-export evaluate` on the bundled pack, given an identity network besides."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import pytest

from relatent_export.attributes.graphs import IDENTITY_GRAPH
from relatent_export.attributes.identity import with_identity
from relatent_export.cli import main
from relatent_export.compile.onnx import save_graph
from tests.export.attributes.networks import write_means
from tests.export.conftest import ROOT

METHODS = ("encoder", "hybrid")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo pack and its graphs, which measure identity by mean colours, and two drawings."""
    root = tmp_path_factory.mktemp("evaluated")
    (root / "images").mkdir()
    for name in ("portrait-00.png", "portrait-01.png"):
        shutil.copy(ROOT / "packs/demo/drawings" / name, root / "images" / name)
    shutil.copytree(ROOT / "packs/demo", root / "demo", ignore=shutil.ignore_patterns("drawings", "*.png"))
    assert main(["identity", str(root / "demo"), str(write_means(root / "faces.onnx"))]) == 0
    for graph in (ROOT / "model_repository").iterdir():
        (root / "repository" / graph.name).parent.mkdir(exist_ok=True)
        (root / "repository" / graph.name).symlink_to(graph)
    (root / "repository/demo_assess").unlink()
    assess = onnx.load(ROOT / "model_repository/demo_assess/1/model.onnx")
    joined = with_identity(assess, (root / "demo" / IDENTITY_GRAPH).read_bytes())
    (root / "repository/demo_assess/1").mkdir(parents=True)
    save_graph(joined, root / "repository/demo_assess/1/model.onnx")
    return root


def evaluate(root: Path, out: Path, *words: str) -> int:
    where = ["--images", str(root / "images"), "--repository", str(root / "repository"), "--out", str(out)]
    return main(["evaluate", str(root / "demo"), *where, *words])


def test_methods_are_told_in_a_table_in_json_and_drawn(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(root, tmp_path / "out", "--methods", *METHODS) == 0
    header, *rows = (line.split() for line in capsys.readouterr().out.splitlines() if line.strip())
    document = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert (document["pack"], document["images"], tuple(document["methods"])) == ("demo", 2, METHODS)
    for row in rows:
        told = dict(zip(header[1:], map(float, row[1:]), strict=True))
        found = document["methods"][row[0]]
        assert told == pytest.approx(found, rel=1e-3)
        assert 0.99 < found["identity"] <= 1.00001
        assert 0.5 < found["judge_gain"] < 1.5
        assert 0 < found["judge_leak"] < 10
    encoder, hybrid = (document["methods"][name] for name in METHODS)
    for figure in ("mse", "perceptual", "sliced_wasserstein"):
        assert hybrid[figure] < encoder[figure]
    assert (encoder["passes"], hybrid["passes"]) == (1, 101)
    for name in ("time.png", "editability.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--methods", "magic"], "--methods: expected some of hybrid, encoder"),
        (["--images", "."], "expected images that end in .png, .jpg, .jpeg, .webp, got none"),
    ],
)
def test_what_cannot_be_evaluated_is_named(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert evaluate(root, tmp_path / "out", *words) == 1
    assert why in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
