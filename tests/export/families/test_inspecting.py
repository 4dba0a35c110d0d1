"""What is inspected is judged as its import would judge it, and no file hides what another is."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as safetensors
from torch import Tensor

from relatent.core.pack import read_pack
from relatent_export.cli import main
from tests.fixtures.checkpoints.encoders import arcface_tensors, ir_se_encoder_tensors
from tests.fixtures.checkpoints.families import (
    CHANNELS,
    FAMILIES,
    LAYERS,
    SIDE,
    SMALL,
    WIDTH,
    write_directions,
)
from tests.fixtures.checkpoints.genforce import genforce_stylegan1_tensors, genforce_stylegan2_tensors
from tests.fixtures.checkpoints.idinvert import idinvert_encoder_tensors, idinvert_generator_tensors
from tests.fixtures.checkpoints.nvidia import save_nvidia_pickle
from tests.fixtures.checkpoints.perceptual import lpips_tensors, vgg16_tensors
from tests.fixtures.checkpoints.stylegan2 import nvlabs_tensors, rosinality_tensors

Tensors = dict[str, Tensor]

ROSINALITY = rosinality_tensors(SMALL, WIDTH)
NVLABS = nvlabs_tensors(ROSINALITY, torch.zeros(WIDTH))
GENFORCE = genforce_stylegan2_tensors(16, WIDTH)
GENFORCE_1 = genforce_stylegan1_tensors(16, WIDTH)
IDINVERT = idinvert_generator_tensors(16, WIDTH)
PSP = {f"encoder.{n}": t for n, t in ir_se_encoder_tensors(LAYERS, width=WIDTH, resolution=SIDE).items()}
PSP |= {f"decoder.{n}": t for n, t in rosinality_tensors(CHANNELS, WIDTH).items()}
OPTIONS = {"encoder_type": "GradualStyleEncoder"}


def numpy_row(state: Tensors, file: Any) -> None:
    np.save(file, np.eye(1, WIDTH))


def flat(state: Tensors, file: Any) -> None:
    file.write(safetensors(state))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def channels(tensors: Tensors, count: int, *names: str) -> Tensors:
    """The same generator, of another number of colour channels."""
    changed = dict(tensors)
    for name, tensor in tensors.items():
        if any(part in name for part in names) and not re.search(r"style|modulation|affine|kernel", name):
            axis = [*tensor.shape].index(3)
            changed[name] = tensor.narrow(axis, 0, 1).repeat_interleave(count, axis)
    return changed


def without(tensors: Tensors, *parts: str) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if not any(part in name for part in parts)}


def damaged(tensors: Tensors, name: str) -> Tensors:
    return {**tensors, name: torch.full_like(tensors[name], torch.nan)}


ORIG = without(NVLABS, "b4.torgb", "b8.torgb")
RESNET = {**without(NVLABS, "b4.torgb", "b8.torgb"), "synthesis.b8.skip.weight": torch.zeros(6, 8, 1, 1)}

REFUSED: dict[str, tuple[Any, str]] = {
    "grey, rosinality": (
        {"g_ema": channels(ROSINALITY, 1, "to_rgb")},
        "one colour channel; three are needed",
    ),
    "with depth, rosinality": (
        {"g_ema": channels(ROSINALITY, 4, "to_rgb")},
        "four colour channels; three are needed",
    ),
    "grey, NVIDIA": (channels(NVLABS, 1, "torgb"), "one colour channel; three are needed"),
    "grey, genforce": (
        {"generator_smooth": channels(GENFORCE, 1, "output")},
        "one colour channel; three are needed",
    ),
    "with depth, genforce's StyleGAN": (
        {"generator_smooth": channels(GENFORCE_1, 4, "output")},
        "four colour channels; three are needed",
    ),
    "grey, idinvert": (channels(IDINVERT, 1, "output"), "one colour channel; three are needed"),
    "orig": (ORIG, "'orig' and 'resnet' are not supported"),
    "resnet": (RESNET, "'orig' and 'resnet' are not supported"),
    "no numbers, rosinality": (
        {"g_ema": damaged(ROSINALITY, "convs.1.conv.weight")},
        "convs.1.conv.weight: expected finite numbers",
    ),
    "no numbers, NVIDIA": (
        damaged(NVLABS, "synthesis.b8.conv0.bias"),
        "synthesis.b8.conv0.bias: expected finite numbers",
    ),
    "no numbers, genforce": (
        {"generator_smooth": damaged(GENFORCE, "mapping.dense1.weight")},
        "mapping.dense1.weight: expected finite numbers",
    ),
    "no numbers, pSp": (
        {"state_dict": damaged(PSP, "encoder.body.0.res_layer.1.weight"), "opts": OPTIONS},
        "body.0.res_layer.1.weight: expected finite numbers",
    ),
    "a tensor too many": (
        {"g_ema": {**ROSINALITY, "odd": torch.ones(1)}},
        "unknown tensor 'odd'",
    ),
    "another filter": (
        {"g_ema": {**ROSINALITY, "convs.0.conv.blur.kernel": torch.ones(4, 4)}},
        "expected the filter [1, 3, 3, 1]",
    ),
    "too small": (
        {"g_ema": rosinality_tensors((8, 6), WIDTH)},
        "generator: expected 16 pixels or more, got 8",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_generator_is_refused_by_both_in_the_same_words(
    what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state, told = REFUSED[what]
    torch.save(state, "own.pt")
    lines = []
    for command in (["inspect", "own.pt"], ["import", "own.pt", "--name", "own"]):
        assert main(command) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        lines.append(captured.err)
    assert lines[0] == lines[1]
    assert lines[0].startswith("relatent-export: own.pt: ")
    assert told in lines[0]


BESIDE: dict[str, tuple[Tensors, str]] = {
    "encoder, pSp": (
        ir_se_encoder_tensors(6, width=WIDTH, pooled=True),
        "body.0.res_layer.1.weight",
    ),
    "encoder, idinvert": (idinvert_encoder_tensors(16, WIDTH), "block1.conv1.weight"),
    "identity": (arcface_tensors(side=16), "output_layer.3.weight"),
    "features": (vgg16_tensors(), "features.5.weight"),
    "linear weights": (lpips_tensors(), "lin1.model.1.weight"),
}


@pytest.mark.parametrize("what", BESIDE)
def test_a_network_without_a_generator_is_judged_to_its_last_number(
    what: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors, name = BESIDE[what]
    torch.save(tensors, "sound.pt")
    assert main(["inspect", "sound.pt"]) == 0
    torch.save(damaged(tensors, name), "odd.pt")
    assert main(["inspect", "odd.pt"]) == 1
    assert f"odd.pt: {name}: expected finite numbers" in capsys.readouterr().err


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_imported_is_inspected_without_a_word_of_refusal(
    family: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(path) for path in FAMILIES[family](here)]
    assert main(["inspect", *files]) == 0
    shown, told = capsys.readouterr()
    assert told == ""
    assert [line for line in shown.splitlines() if line and not line.startswith(" ")] == files


def test_a_refused_file_hides_no_other(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sound,) = FAMILIES["rosinality"](here)
    (here / "page.pt").write_text("<html>")
    assert main(["inspect", "absent.pt", sound.name, "page.pt", sound.name]) == 1
    shown, told = capsys.readouterr()
    assert shown.count("StyleGAN2, rosinality") == 2
    assert told.splitlines() == [
        "relatent-export: absent.pt: No such file or directory",
        "relatent-export: page.pt: a text file, perhaps a download page saved in place of the file",
    ]


@pytest.fixture
def mixed(here: Path) -> list[str]:
    """A folder of a generator, directions and what lies about; what is told of the latter."""
    folder = here / "mixed"
    folder.mkdir()
    FAMILIES["rosinality"](folder)
    write_directions(folder)
    (folder / "README.md").write_text("Notes.")
    (folder / ".hidden").write_text("Nobody's.")
    (folder / "examples").mkdir()
    os.mkfifo(folder / "pipe.pt")
    (folder / "gone.pt").symlink_to("nowhere")
    return [
        "relatent-export: passed over mixed/README.md: a text file, perhaps a download page saved in place "
        "of the file",
        "relatent-export: passed over mixed/examples: a folder inside a folder; name it as well to look "
        "into it",
        "relatent-export: passed over mixed/gone.pt: No such file or directory",
        "relatent-export: passed over mixed/pipe.pt: a named pipe, expected a file; write what comes out of "
        "it to one first",
    ]


def test_a_folder_is_inspected_as_what_is_usable_in_it(
    mixed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "mixed"]) == 0
    shown, told = capsys.readouterr()
    names = [line for line in shown.splitlines() if line and not line.startswith(" ")]
    assert names == [
        f"mixed/{name}" for name in ("age.pt", "ganspace.pt", "smile_w_boundary.npy", "stylegan2.pt")
    ]
    assert sorted(told.splitlines()) == mixed


def test_a_folder_is_imported_as_what_is_usable_in_it(
    mixed: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Of a larger generator.
    torch.save(torch.ones(1, 18, WIDTH) / WIDTH**0.5, "mixed/pose.pt")
    assert main(["import", "mixed", "--name", "own"]) == 0
    told = capsys.readouterr().err.splitlines()
    (more,) = set(told) - set(mixed)
    assert set(mixed) < set(told)
    assert more.startswith(
        "relatent-export: passed over mixed/pose.pt: expected 6 layers (a generator of 16 pixels)"
    )
    pack = read_pack(here / "packs" / "own")
    assert {"age", "smile_w_boundary", "ganspace_00"} <= set(pack.directions)
    assert "pose" not in pack.directions
    assert "README" not in pack.provenance
    assert "pose.pt" not in pack.provenance


def test_a_network_in_a_folder_that_cannot_be_built_is_passed_over_by_both(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mixed").mkdir()
    FAMILIES["rosinality"](here / "mixed")
    torch.save(damaged(arcface_tensors(side=16), "output_layer.3.weight"), "mixed/arcface.pth")
    lines = []
    for command in (["inspect", "mixed"], ["import", "mixed", "--name", "own"]):
        assert main(command) == 0
        lines.append(capsys.readouterr().err)
    assert lines[0] == lines[1]
    assert lines[0].startswith("relatent-export: passed over mixed/arcface.pth: output_layer.3.weight: ")
    assert "identity" not in read_pack(here / "packs" / "own").metrics


@pytest.mark.parametrize("save", [lambda state, file: torch.save(state, file), numpy_row, flat])
def test_a_name_that_is_no_text_is_refused_with_the_cure(
    save: Any, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (here / "sound.pt").open("wb") as file:
        save(ROSINALITY, file)
    path = here / os.fsdecode(b"caf\xe9_w_boundary.pt")
    (here / "sound.pt").rename(path)
    for command in (["inspect", path.name], ["import", path.name, "--name", "own"]):
        assert main(command) == 1
        told = capsys.readouterr().err
        assert told == "relatent-export: caf\\udce9_w_boundary.pt: a path that is not UTF-8; rename it\n"


def test_a_files_name_does_not_steer_the_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mixed").mkdir()
    name = "\x1b[31mé\n"
    torch.save({"g_ema": ROSINALITY}, f"mixed/{name}.pt")
    (here / "mixed" / f"{name}.txt").write_text("Notes.")
    shown = r"mixed/\x1b[31mé\n"
    for command in (["inspect", "mixed"], ["import", "mixed", "--name", "own"]):
        assert main(command) == 0
        captured = capsys.readouterr()
        assert captured.err.startswith(f"relatent-export: passed over {shown}.txt: a text file")
        assert "\x1b" not in captured.out + captured.err
        assert shown in captured.out or command[0] == "import"


def test_a_folder_of_nothing_usable_is_refused_by_both(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "notes").mkdir()
    (here / "empty").mkdir()
    (here / "notes" / "a.txt").write_text("Notes.")
    for command in (["inspect", "notes"], ["import", "notes", "--name", "own"]):
        assert main(command) == 1
        passed, refused = capsys.readouterr().err.splitlines()
        assert passed.startswith("relatent-export: passed over notes/a.txt: a text file")
        assert refused == "relatent-export: notes: nothing in it can be imported"
    for command in (["inspect", "empty"], ["import", "empty", "--name", "own"]):
        assert main(command) == 1
        assert capsys.readouterr().err == "relatent-export: empty: expected a folder with files in it\n"


def test_a_folder_of_directions_that_do_not_fit_is_refused_after_all(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (generator,) = FAMILIES["rosinality"](here)
    (here / "edits").mkdir()
    np.save(here / "edits" / "age_w_boundary.npy", np.ones((1, 9)) / 3)
    assert main(["import", str(generator), "edits", "--name", "own"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(
        "relatent-export: passed over edits/age_w_boundary.npy: expected layers of 8 numbers"
    )
    assert told[1] == "relatent-export: edits: nothing in it can be imported"
    assert not (here / "packs" / "own").exists()


def test_a_folders_direction_that_only_wants_its_space_said_is_not_passed_over(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (generator,) = FAMILIES["rosinality"](here)
    (here / "edits").mkdir()
    np.save(here / "edits" / "pose.npy", np.ones((1, WIDTH)) / WIDTH**0.5)
    assert main(["import", str(generator), "edits", "--name", "own"]) == 1
    assert "a single vector does not tell its space" in capsys.readouterr().err


def test_nvidias_own_pickle_is_judged_as_its_tensors_are(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_nvidia_pickle(here / "grey.pkl", channels(NVLABS, 1, "torgb"))
    assert main(["inspect", "grey.pkl"]) == 1
    told = "relatent-export: grey.pkl: one colour channel; three are needed\n"
    assert capsys.readouterr().err == told
