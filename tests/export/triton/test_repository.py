"""What is committed is what the exporter writes."""

from __future__ import annotations

import io
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from relatent.core.pack import file_digest, read_pack
from relatent_export.analysis.refining import ExportedPack, ExportedRefinement
from relatent_export.cli import main
from relatent_export.objectives.methods import LIGHT
from relatent_export.packs.methods import set_methods
from relatent_export.packs.weights import load_networks
from relatent_export.triton.config import parse_config
from relatent_export.triton.graphs import Synthesize
from tests.export.conftest import ROOT
from tests.export.running import run

PACK, COMMITTED = ROOT / "packs/demo", ROOT / "model_repository"
ROLES = ("encode", "map", "synthesize", "refine", "assess", "attributes")
OF_TEXTS = ("synthesize_style", "text")


@dataclass(frozen=True)
class Written:
    """A repository, and what was said while it was written."""

    folder: Path
    out: str
    err: str


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder, pack = tmp_path_factory.mktemp("repository"), tmp_path_factory.mktemp("packs") / "demo"
    # Without the methods whose graphs take a minute each; `tests/export/objectives` traces small ones.
    shutil.copytree(PACK, pack)
    set_methods(pack, LIGHT)
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        assert main(["repository", str(pack), "--into", str(folder)]) == 0
    return Written(folder, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def written(exported: Written) -> Path:
    return exported.folder


def test_an_export_tells_its_folders_and_draws_no_bar_where_no_terminal_is(exported: Written) -> None:
    assert exported.err == ""
    assert set(exported.out.splitlines()) == {
        str(exported.folder / f"demo_{role}") for role in (*ROLES, *OF_TEXTS, "read", "read_style")
    }


def feed(session: onnxruntime.InferenceSession) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(0)
    values: dict[str, NDArray[Any]] = {}
    for tensor in session.get_inputs():
        shape = [2, *tensor.shape[1:]]
        if tensor.type == "tensor(uint8)":
            values[tensor.name] = random.integers(0, 256, shape, dtype=np.uint8)
        elif tensor.type == "tensor(int32)":
            values[tensor.name] = np.full(shape, 3, np.int32)
        else:
            values[tensor.name] = random.random(shape, dtype=np.float32)
    return values


@pytest.mark.parametrize("role", ROLES)
def test_the_committed_graph_computes_what_the_exporter_writes(written: Path, role: str) -> None:
    place = Path(f"demo_{role}") / "1" / "model.onnx"
    ours = onnxruntime.InferenceSession(COMMITTED / place)
    theirs = onnxruntime.InferenceSession(written / place)
    given = feed(ours)
    expected = run(theirs, given)
    for name, value in run(ours, given).items():
        assert np.allclose(value, expected[name], rtol=1e-3, atol=1e-4, equal_nan=True), name


@pytest.mark.parametrize("role", ROLES)
def test_the_committed_configuration_is_the_exporters(written: Path, role: str) -> None:
    ours, theirs = (
        parse_config((root / f"demo_{role}" / "config.pbtxt").read_text()) for root in (COMMITTED, written)
    )
    for root, config in ((COMMITTED, ours), (written, theirs)):
        # Tracing on another machine may give other bytes.
        file = root / f"demo_{role}" / "1" / "model.onnx"
        assert config.parameters["relatent.digest"].string_value == file_digest(file)
        del config.parameters["relatent.digest"]
    assert ours == theirs
    assert ours.parameters["relatent.revision"].string_value == read_pack(PACK).revision
    assert len(ours.model_warmup) == 3


def test_refinement_is_warmed_up_with_a_step_at_every_batch_size_and_stays_finite(written: Path) -> None:
    for repository in (written, COMMITTED):
        folder = repository / "demo_refine"
        config = parse_config((folder / "config.pbtxt").read_text())
        files = {sample.inputs["steps"].input_data_file for sample in config.model_warmup}
        (steps,) = {(folder / "warmup" / file).read_bytes() for file in files}
        assert np.frombuffer(steps, "<i4").tolist() == [1]
    session = onnxruntime.InferenceSession(COMMITTED / "demo_refine" / "1" / "model.onnx")
    for sample in config.model_warmup:
        zeros = {
            value.name: np.zeros([sample.batch_size, *value.shape[1:]], feed(session)[value.name].dtype)
            for value in session.get_inputs()
        }
        answer = run(session, {**zeros, "steps": np.ones((sample.batch_size, 1), np.int32)})
        assert np.isfinite(answer.pop("losses")[:, 0]).all(), "a step was done"
        assert all(np.isfinite(value).all() for value in answer.values())


def test_the_served_graph_draws_what_pytorch_draws() -> None:
    import torch

    exported, networks = ExportedPack(read_pack(PACK), COMMITTED), load_networks(PACK)
    codes = np.random.default_rng(3).standard_normal((3, 10, 128), dtype=np.float32)
    theirs = Synthesize(networks)(torch.from_numpy(codes)).numpy().astype(int)
    assert np.abs(exported.synthesize(codes).astype(int) - theirs).max() <= 1


def test_the_committed_refinement_does_not_depend_on_company() -> None:
    """After 100 steps, where rounding that company changed would have grown a thousandfold."""
    exported = ExportedPack(read_pack(PACK), COMMITTED)
    images = np.random.default_rng(4).standard_normal((4, 10, 128), dtype=np.float32)
    targets, starts = exported.synthesize(images), exported.mean_codes(4)
    together = ExportedRefinement(exported, starts, targets, 0.05)
    together.advance(100)
    for place in (0, 3):
        one = slice(place, place + 1)
        alone = ExportedRefinement(exported, starts[one], targets[one], 0.05)
        alone.advance(100)
        difference = np.abs(alone.codes - together.codes[one]).max() / np.abs(alone.codes).max()
        assert difference <= 1e-4


def test_a_pack_whose_weights_are_not_the_manifests_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = tmp_path / "demo"
    shutil.copytree(PACK, pack)
    manifest = pack / "pack.toml"
    revision = read_pack(PACK).revision
    manifest.write_text(manifest.read_text().replace(revision, "0" * 64))
    assert main(["repository", str(pack), "--into", str(tmp_path / "out")]) == 1
    assert "revision: the manifest says 000" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_pack_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repository", str(tmp_path / "none")]) == 1
    missing = tmp_path / "none" / "pack.toml"
    assert capsys.readouterr().err == f"relatent-export: {missing}: No such file or directory\n"


@pytest.mark.parametrize("space", ["", "_feature", "_layered", "_multi"])
def test_what_makes_images_is_joined_to_what_reads_them_in_one_model(written: Path, space: str) -> None:
    text = (COMMITTED / f"demo_read{space}" / "config.pbtxt").read_text()
    assert (COMMITTED / f"demo_read{space}" / "1").is_dir()
    if not space:
        assert text == (written / "demo_read" / "config.pbtxt").read_text()
    config = parse_config(text)
    assert [step.model_name for step in config.ensemble_scheduling.step] == [
        f"demo_synthesize{space}",
        "demo_attributes",
    ]
    assert [output.name for output in config.output] == ["image", "attributes"]
    assert config.parameters["relatent.revision"].string_value == read_pack(PACK).revision
