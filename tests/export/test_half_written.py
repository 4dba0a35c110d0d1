"""Packs, repositories and the state of training are never left half-written, whatever stops it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from relatent_export.cli import main
from relatent_export.nets.networks import Networks
from relatent_export.packs.pack import PackFacts, write_pack
from relatent_export.training.checkpoint import load_state, save_state
from relatent_export.triton.graphs import roles
from relatent_export.triton.repository import write_models
from tests.export.conftest import ROOT
from tests.export.contents import contents
from tests.fixtures.checkpoints.families import FAMILIES

INFO = PackFacts(
    "small", "Random networks.", "Apache-2.0", "Random numbers.", {"encoder": 0.02, "mean": 0.05}
)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a disk with so many bytes left, to each file that is written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def quickly(
    small: Networks, graphs: dict[str, onnx.ModelProto], monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, onnx.ModelProto]]:
    """Graphs that were exported before, in place of exporting them."""
    made = [(role, graphs[role]) for role in roles(small)]
    monkeypatch.setattr("relatent_export.triton.repository.build_graphs", lambda *_, **__: iter(made))
    return made


def test_an_import_that_fills_the_disk_names_the_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (generator,) = FAMILIES["rosinality"](tmp_path)
    with files_of_at_most(10_000):
        assert main(["import", str(generator), "--name", "own"]) == 1
    told = "relatent-export: packs/own/generator.safetensors: File too large\n"
    assert capsys.readouterr().err == told
    assert contents(tmp_path / "packs") == {}


def test_a_pack_that_cannot_be_written_leaves_the_earlier_one(small: Networks, tmp_path: Path) -> None:
    write_pack(tmp_path, INFO, small, [])
    (tmp_path / "README.md").write_text("Of its owner's.")
    before = contents(tmp_path)
    with files_of_at_most(10_000), pytest.raises(OSError, match="File too large") as caught:
        write_pack(tmp_path, INFO, small, [])
    assert caught.value.filename == str(tmp_path / "generator.safetensors")
    assert contents(tmp_path) == before


def test_a_repository_that_cannot_be_written_leaves_the_earlier_one_and_names_the_file(
    small: Networks, quickly: list[tuple[str, onnx.ModelProto]], tmp_path: Path
) -> None:
    write_models("small", small, tmp_path)
    before = contents(tmp_path)
    largest, model = max(quickly, key=lambda pair: pair[1].ByteSize())
    with files_of_at_most(model.ByteSize() - 1), pytest.raises(OSError, match="File too large") as caught:
        write_models("small", small, tmp_path)
    assert caught.value.filename == str(tmp_path / f"small_{largest}" / "1" / "model.onnx")
    assert contents(tmp_path) == before
    with files_of_at_most(10_000), pytest.raises(OSError, match="File too large"):
        write_models("small", small, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert contents(tmp_path) == before


def test_models_that_a_pack_has_no_longer_go_with_the_others_replaced(
    small: Networks, quickly: list[tuple[str, onnx.ModelProto]], tmp_path: Path
) -> None:
    write_models("small", small, tmp_path)
    (tmp_path / "other_map").mkdir()
    quickly[:] = [pair for pair in quickly if pair[0] != "encode"]
    write_models("small", small, tmp_path)
    names = {f"small_{role}" for role, _ in quickly} | {"small_read", "other_map"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_checkpoint_of_training_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "gan.safetensors"
    save_state(path, {"w": torch.ones(2)}, {"images": 1})
    with files_of_at_most(1_000), pytest.raises(OSError, match="File too large") as caught:
        save_state(path, {"w": torch.ones(5_000)}, {"images": 2})
    assert caught.value.filename == str(path)
    assert load_state(path)[1] == {"images": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["gan.safetensors"]


def test_an_import_that_is_interrupted_says_so_in_a_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (generator,) = FAMILIES["rosinality"](tmp_path)

    def interrupted(tensors: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"a part")
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("relatent_export.packs.tensors.save_file", interrupted)
    assert main(["import", str(generator), "--name", "own"]) == 130
    told = capsys.readouterr().err
    assert told == "relatent-export: interrupted; nothing half-written was left\n"
    assert contents(tmp_path / "packs") == {}


CHILD = """
import sys, time, onnx, relatent_export.triton.repository
from relatent_export.cli import main
model = onnx.load("model_repository/demo_map/1/model.onnx")
def slowly(*_, **__):
    yield "map", model
    time.sleep(60)
relatent_export.triton.repository.build_graphs = slowly
sys.exit(main(["repository", "packs/demo", "--into", sys.argv[1]]))
"""


def test_ctrl_c_ends_an_export_with_130_and_one_line_and_leaves_the_earlier_repository(
    tmp_path: Path,
) -> None:
    (tmp_path / "demo_map" / "1").mkdir(parents=True)
    (tmp_path / "demo_map" / "1" / "model.onnx").write_bytes(b"earlier")
    before = contents(tmp_path)
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.PIPE, text=True) as child:
        partial = tmp_path.with_name(f".{tmp_path.name}.demo.partial")
        while not (partial / "demo_map" / "config.pbtxt").exists():
            assert child.poll() is None
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=30)
    assert told == "relatent-export: interrupted; nothing half-written was left\n"
    assert child.returncode == 130
    assert contents(tmp_path) == before
