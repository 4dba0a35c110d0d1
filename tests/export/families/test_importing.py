"""Importing from the command line: what comes out, and what is refused in one clear line."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from relatent.core.pack import read_pack
from relatent_export.checkpoints import read_checkpoint
from relatent_export.cli import main
from relatent_export.packs.weights import load_networks
from tests.export.conftest import ROOT
from tests.fixtures.checkpoints.encoders import ir_se_encoder_tensors
from tests.fixtures.checkpoints.families import FAMILIES, WIDTH, write_directions
from tests.fixtures.checkpoints.idinvert import idinvert_encoder_tensors
from tests.fixtures.checkpoints.nvidia import save_nvidia_pickle
from tests.fixtures.checkpoints.perceptual import idinvert_vgg16_tensors
from tests.fixtures.checkpoints.stylegan2 import nvlabs_tensors, rosinality_tensors

LABELS = {
    "rosinality": "StyleGAN2, rosinality",
    "rosinality_trained": "StyleGAN2, rosinality",
    "nvlabs": "StyleGAN2-ADA, NVIDIA",
    "genforce": "StyleGAN2, genforce",
    "genforce_stylegan1": "StyleGAN, genforce",
    "idinvert": "idinvert generator (StyleGAN)",
    "e4e": "e4e",
    "psp": "pSp",
    "restyle_psp": "ReStyle",
    "restyle_e4e": "ReStyle",
    "ganinverter": "GANInverter",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The line that an import ends with."""
    assert main(["import", *arguments, "--name", "own"]) == 1
    lines = capsys.readouterr().err.splitlines()
    (line,) = (line for line in lines if line.startswith("relatent-export: "))
    assert not Path("packs/own").exists()
    assert not list(Path("packs").glob(".*")) if Path("packs").exists() else True
    return line.removeprefix("relatent-export: ")


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_recognised_under_any_name_and_described(
    family: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = FAMILIES[family](here)[0].rename(here / "renamed.bin")
    assert main(["inspect", str(first)]) == 0
    told = dict(line.strip().split("  ", 1) for line in capsys.readouterr().out.splitlines()[1:])
    assert told["family"].strip() == LABELS[family]
    assert "x" in told["generator"]
    assert told["spaces"].strip().startswith("Z ")
    assert told["licence"]


def test_a_pack_holds_safetensors_alone_and_says_where_it_comes_from(here: Path) -> None:
    files = [str(path) for path in FAMILIES["psp"](here)]
    assert main(["import", *files, "--name", "own"]) == 0
    folder = here / "packs" / "own"
    assert {path.suffix for path in folder.iterdir()} == {".safetensors", ".toml"}
    pack = read_pack(folder)
    assert pack.licence.startswith("not stated; pSp: ")
    assert all(name in pack.provenance for name in ("psp.pt", "vgg16.pth", "model_ir_se50.pth"))
    assert pack.default_method.terms["perceptual"] == 0.2
    networks = load_networks(folder)
    assert networks.revision == pack.revision
    assert networks.metrics == pack.metrics == ("mse", "psnr", "ssim", "perceptual", "identity")


def test_what_was_imported_is_what_the_file_holds(here: Path) -> None:
    tensors = rosinality_tensors((8, 6, 6), WIDTH)
    torch.save({"g_ema": tensors, "latent_avg": torch.ones(WIDTH)}, "own.pt")
    assert main(["import", "own.pt", "--name", "own"]) == 0
    with safe_open("packs/own/generator.safetensors", framework="pt") as file:
        header = json.loads(file.metadata()["config"])
        assert torch.equal(file.get_tensor("synthesis.layers.1.bias"), tensors["convs.0.activate.bias"])
    assert (header["kind"], header["channels"], header["resolution"]) == ("stylegan2", [8, 6, 6], 16)
    assert read_pack(here / "packs" / "own").mean.tolist() == [[1.0] * WIDTH] * 6


def test_a_folder_of_directions_and_chosen_components_are_taken(here: Path) -> None:
    (here / "directions").mkdir()
    write_directions(here / "directions")
    (generator,) = FAMILIES["rosinality"](here)
    chosen = ["--component", "eyes=2:3-5", "--direction-licence", "MIT"]
    assert main(["import", str(generator), "directions", "--name", "own", *chosen]) == 0
    directions = read_pack(here / "packs" / "own").directions
    assert set(directions) == {"age", "smile_w_boundary", "eyes"}
    assert (directions["eyes"].first_layer, directions["eyes"].last_layer) == (3, 5)
    assert {direction.licence for direction in directions.values()} == {"MIT"}


def test_a_direction_is_read_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (generator,) = FAMILIES["rosinality"](here)
    files = [str(path) for path in (generator, *write_directions(here))]
    read: list[str] = []

    def counted(path: Path) -> Any:
        read.append(str(path))
        return read_checkpoint(path)

    monkeypatch.setattr("relatent_export.families.recognising.read_checkpoint", counted)
    assert main(["inspect", *files]) == 0
    assert main(["import", *files, "--name", "own"]) == 0
    assert read == 2 * files


def test_components_want_a_file_of_them(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (generator,) = FAMILIES["rosinality"](here)
    told = refusal(capsys, str(generator), "--component", "eyes=2:3-5")
    assert told == "--component: expected a file of GANSpace's components, got none"
    assert "expected NAME=INDEX:FIRST-LAST" in refusal(capsys, str(generator), "--component", "eyes")


def test_files_that_make_no_family_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = *FAMILIES["rosinality"](here), *FAMILIES["rosinality_trained"](here)
    (direction, *_) = write_directions(here)
    assert "expected one file with a generator, got none" in refusal(capsys, str(direction))
    assert "expected one file with a generator, got 2" in refusal(capsys, str(one), str(other))
    torch.save(idinvert_encoder_tensors(32, WIDTH), "encoder.pth")
    told = refusal(capsys, str(one), "encoder.pth")
    assert "encoder: expected a side of 16 pixels or a whole fraction of it, got 32" in told


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"state_dict": {"hypernet.a": torch.zeros(1)}, "opts": {}}, "a HyperStyle checkpoint"),
        ({"synthesis.input.freqs": torch.zeros(2, 2)}, "a StyleGAN3 generator"),
        ({"weights": torch.zeros(2, 2)}, "tensors of no family that we know"),
        ({"generator_smooth": {"layer0.weight": torch.zeros(1), "output0.weight": torch.zeros(1)}}, "PGGAN"),
    ],
)
def test_what_cannot_be_imported_is_named_with_the_reason(
    here: Path, capsys: pytest.CaptureFixture[str], state: dict[str, Any], reason: str
) -> None:
    torch.save(state, "other.pt")
    assert reason in refusal(capsys, "other.pt")


def test_a_stylegan3_pickle_is_refused_by_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_nvidia_pickle(here / "stylegan3.pkl", {"synthesis.input.freqs": torch.zeros(2, 2)})
    assert "StyleGAN3" in refusal(capsys, "stylegan3.pkl")


def test_a_class_conditional_generator_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = nvlabs_tensors(rosinality_tensors((8, 6, 6), WIDTH), torch.zeros(WIDTH))
    save_nvidia_pickle(here / "cifar.pkl", {**tensors, "mapping.embed.weight": torch.zeros(WIDTH, 10)})
    assert "class-conditional generator (10 classes)" in refusal(capsys, "cifar.pkl")


def test_an_encoder_that_does_not_say_its_kind_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = ir_se_encoder_tensors(8, width=WIDTH, resolution=32)
    state = {f"encoder.{name}": tensor for name, tensor in encoder.items()}
    state |= {f"decoder.{name}": tensor for name, tensor in rosinality_tensors((8, 8, 6, 6), WIDTH).items()}
    torch.save({"state_dict": state, "opts": {}, "latent_avg": torch.zeros(WIDTH)}, "e4e.pt")
    assert "expected an 'encoder_type', got none" in refusal(capsys, "e4e.pt")


def test_idinverts_own_vgg_is_recognised(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(idinvert_vgg16_tensors(), "vgg16.pth")
    assert main(["inspect", "vgg16.pth"]) == 0
    assert "features for a perceptual distance" in capsys.readouterr().out


def test_names_and_places_that_cannot_be_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (generator,) = FAMILIES["rosinality"](here)
    assert main(["import", str(generator), "--name", "My Pack"]) == 1
    assert "--name: expected lower-case letters" in capsys.readouterr().err
    (here / "packs" / "own").mkdir(parents=True)
    assert main(["import", str(generator), "--name", "own"]) == 1
    assert "there is one already" in capsys.readouterr().err
    assert main(["inspect", "absent.pt"]) == 1
    assert capsys.readouterr().err == "relatent-export: absent.pt: No such file or directory\n"


def test_a_large_checkpoint_is_imported_in_less_than_two_and_a_half_times_its_size(here: Path) -> None:
    """Beside what a small one takes, which is PyTorch itself."""
    peaks, sizes = [], []
    for channels in ((8,) * 3, (1200,) * 3):
        path = here / f"{channels[0]}.pt"
        torch.save({"g_ema": rosinality_tensors(channels, WIDTH, mapping=1)}, path)
        command = [
            sys.executable,
            "-m",
            "relatent_export.cli",
            "import",
            str(path),
            "--name",
            f"own{channels[0]}",
        ]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(used.ru_maxrss * 1024)
        sizes.append(path.stat().st_size)
    assert sizes[1] > 200 * 2**20
    assert peaks[1] - peaks[0] < 2.5 * sizes[1]


TENSORS = rosinality_tensors((8, 6, 6), WIDTH)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"g_ema": TENSORS, "latent_avg": [1.0]}, "latent_avg: expected a tensor"),
        ({"g_ema": TENSORS, "latent_avg": torch.tensor(1.0)}, "latent_avg: expected a tensor"),
        ({"g_ema": TENSORS, "latent_avg": torch.full((WIDTH,), torch.nan)}, "latent_avg: expected finite"),
        ({"g_ema": TENSORS, "latent_avg": torch.zeros(3)}, "not what its family holds"),
        (
            {"g_ema": {**TENSORS, "input.input": TENSORS["input.input"] * torch.inf}},
            "input.input: expected finite",
        ),
        ({"g_ema": {**TENSORS, "conv1.conv.weight": torch.ones(3)}}, "not what its family holds"),
        ({"g_ema": 3}, "g_ema: expected tensors by name, got none"),
        ({"g_ema": {}}, "g_ema: expected tensors by name, got none"),
        ({"generator_smooth": None}, "generator_smooth: expected tensors by name"),
        ({"state_dict": [1]}, "state_dict: expected tensors by name"),
        (
            {"encoder": {"a": torch.ones(1)}, "decoder": TENSORS},
            "encoder: tensors of an encoder that we do not know",
        ),
        ({}, "there is no tensor in it; it holds nothing"),
    ],
)
def test_a_checkpoint_that_is_not_laid_out_as_it_should_be_is_told_in_a_line(
    here: Path, capsys: pytest.CaptureFixture[str], state: dict[str, Any], told: str
) -> None:
    torch.save(state, "odd.pt")
    line = refusal(capsys, "odd.pt")
    assert line.startswith("odd.pt: ")
    assert told in line


def test_names_as_data_parallel_writes_them_are_the_same_generator(here: Path) -> None:
    torch.save({"g_ema": TENSORS}, "plain.pt")
    torch.save({"g_ema": {f"module.{name}": tensor for name, tensor in TENSORS.items()}}, "parallel.pt")
    for name in ("plain", "parallel"):
        assert main(["import", f"{name}.pt", "--name", name]) == 0
    revisions = {read_pack(here / "packs" / name).revision for name in ("plain", "parallel")}
    assert len(revisions) == 1


def test_what_lies_in_a_state_dict_without_an_encoder_is_told_by_its_names(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"state_dict": TENSORS}, "wrapped.pt")
    assert main(["inspect", "wrapped.pt"]) == 0
    assert "StyleGAN2, rosinality" in capsys.readouterr().out


def test_parts_that_do_not_fit_each_other_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator, encoder = FAMILIES["idinvert"](here)
    torch.save({"g_ema": rosinality_tensors((8, 8, 6, 6, 4), WIDTH)}, "larger.pt")
    assert "encoder: expected codes of 10 x 8, got 6 x 8" in refusal(capsys, "larger.pt", str(encoder))
    torch.save({"g_ema": rosinality_tensors((8, 6), WIDTH)}, "small.pt")
    assert "generator: expected 16 pixels or more, got 8" in refusal(capsys, "small.pt")
    _, _, vgg, _ = FAMILIES["psp"](here)
    told = refusal(capsys, str(generator), str(vgg), "--compare-side", "8")
    assert "images of 8 pixels on a side are too small for vgg16" in told


def test_the_space_of_a_single_vector_is_told_where_its_name_does_not(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (generator,) = FAMILIES["rosinality"](here)
    named, tensor, _ = write_directions(here)
    np.save(here / "pose.npy", np.load(named))
    files = [str(path) for path in (generator, named, tensor, here / "pose.npy")]
    assert "a single vector does not tell its space" in refusal(capsys, *files)
    assert main(["import", *files, "--name", "own", "--space", "z"]) == 0
    directions = read_pack(here / "packs" / "own").directions
    spaces = {name: direction.space for name, direction in directions.items()}
    assert spaces == {"smile_w_boundary": "w", "age": "w", "pose": "z"}


def test_what_is_hardly_a_direction_is_taken_with_a_word_of_doubt(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (generator,) = FAMILIES["rosinality"](here)
    torch.save(torch.full((1, 6, WIDTH), 2.0), "face.pt")
    np.save("pggan_age_boundary.npy", np.ones((1, WIDTH)) / WIDTH**0.5)
    files = [str(generator), "face.pt", "pggan_age_boundary.npy"]
    assert main(["import", *files, "--name", "own"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "relatent-export: face.pt: taken as a direction, but its vectors are 5.7 long, as codes of 8 numbers "
        "are, and directions are about 1 long: perhaps a code",
        "relatent-export: pggan_age_boundary.npy: taken as a direction, but of a PGGAN by its name, which "
        "has no W: it means nothing in the Z of another generator",
    ]
    assert set(read_pack(here / "packs" / "own").directions) == {"face", "pggan_age_boundary"}


def test_ganspaces_own_files_are_imported(here: Path) -> None:
    (generator,) = FAMILIES["rosinality"](here)
    component = np.eye(WIDTH, dtype=np.float32)[:2, None]
    own = {"lat_comp": component, "lat_mean": component[0], "lat_stdev": np.array([9.0, 4.0], np.float32)}
    np.savez_compressed("pca_w.npz", **own)
    exported = {"name": "Age", "sigma_range": 3.0, "component_index": 1, "lat_comp": component[1]}
    exported |= {"latent_space": "W", "lat_stdev": 4.0, "edit_type": "latent", "edit_start": 2, "edit_end": 5}
    Path("edit.pkl").write_bytes(pickle.dumps(exported))
    assert main(["import", str(generator), "pca_w.npz", "edit.pkl", "--name", "own"]) == 0
    directions = read_pack(here / "packs" / "own").directions
    assert set(directions) == {"pca_w_00", "pca_w_01", "age"}
    assert (directions["age"].first_layer, directions["age"].last_layer) == (2, 4)
