"""`relatent-export analyze misses` on a small pack: a table, JSON and a plot, or a refusal by option."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from relatent_export.analysis.comparing import sampled
from relatent_export.cli import main
from relatent_export.demo.pictures import save_picture
from relatent_export.nets.networks import Networks
from relatent_export.packs.pack import write_pack
from tests.export.analysis.segmenters import write_segmenter
from tests.export.packs.test_pack import INFO

IMAGES, SAMPLES = 24, 96


@pytest.fixture(scope="module")
def root(small: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packs with attributes and without; samples of the generator's own; those with a white bar besides."""
    root = tmp_path_factory.mktemp("analyzed")
    write_pack(root / "small", INFO, small, [])
    write_pack(root / "bare", INFO, replace(small, attributes=None, attribute_names=()), [])
    images = np.concatenate(list(sampled(small, IMAGES, 1.0, 99)))
    for place, image in enumerate(images):
        save_picture(image, root / "own" / f"{place:02d}.png")
        barred = image.copy()
        barred[: place % 12] = 255
        save_picture(barred, root / "barred" / f"{place:02d}.png")
    write_segmenter(root / "bright.onnx", "map")
    (root / "bright.toml").write_text('file = "bright.onnx"\nnames = ["dark", "bright"]\n')
    return root


def analyze(root: Path, images: str, *words: str, pack: str = "small") -> int:
    where = ["--images", str(root / images), "--samples", str(SAMPLES)]
    return main(["analyze", "misses", str(root / pack), *where, *words])


def test_a_generator_misses_nothing_of_its_own_samples(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    json_file, plot = tmp_path / "new/misses.json", tmp_path / "new/misses.png"
    assert analyze(root, "own", "--json", str(json_file), "--plot", str(plot)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "missed: nothing"
    found = json.loads(json_file.read_text())
    assert (found["pack"], found["images"], found["samples"], found["missed"]) == ("small", 24, 96, [])
    assert set(found["attributes"]) == {"one", "two", "three"}
    rows = {line.split()[0]: line for line in lines[1:-2]}
    assert set(rows) == {"one", "two", "three", "together"}
    for name, figures in found["attributes"].items():
        assert f"{figures['real']['mean']:.3g} ± {figures['real']['deviation']:.2g}" in rows[name]
        assert sum(figures["histogram"]["real"]) == pytest.approx(1)
    with Image.open(plot) as drawn:
        assert drawn.size[0] > 500


def test_what_a_segmenter_sees_and_the_generator_never_makes_is_missed(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a pack that has no attributes of its own."""
    flags = ["--segmenter", str(root / "bright.toml"), "--json", str(tmp_path / "misses.json")]
    assert analyze(root, "barred", *flags, pack="bare") == 0
    found: dict[str, Any] = json.loads((tmp_path / "misses.json").read_text())
    assert "bright" in found["missed"]
    assert found["segmenter"] == "bright.toml"
    bright = found["attributes"]["bright"]
    assert bright["real"]["high"] > 25
    assert bright["generated"]["high"] < 5
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("bright"))
    assert "missed: " in line


def test_the_seed_and_the_truncation_make_other_samples(root: Path, small: Networks) -> None:
    first, again, other, narrow = (
        np.concatenate(list(sampled(small, 4, psi, seed))) for psi, seed in ((1, 0), (1, 0), (1, 1), (0.3, 0))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    mean = small.generator.synthesis(small.generator.mean_code()[None])
    centre = ((mean.clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1).detach()
    distances = [float((torch.from_numpy(each) - centre).abs().mean()) for each in (narrow, first)]
    assert distances[0] < distances[1]


def test_classes_that_no_image_shows_are_not_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze(root, "own", "--segmenter", str(root / "bright.onnx")) == 0
    names = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("bright")}
    assert names <= {"bright_0", "bright_1"}
    assert "bright_0" in names


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--samples", "15"], "--samples: expected 16 or more, got 15"),
        (["--truncation", "0"], "--truncation: expected a number above 0, got 0"),
        (["--truncation", "nan"], "--truncation: expected a number above 0, got nan"),
        (["--seed", "-1"], "--seed: expected a whole number from 0 to 2**63 - 1, got -1"),
        (["--segmenter", "ROOT/missing.onnx"], "missing.onnx: No such file"),
        (["--segmenter", "ROOT/own/00.png"], "--segmenter: ROOT/own/00.png: expected an ONNX graph"),
        (["--images", "ROOT/missing"], "ROOT/missing: No such file"),
        (
            ["--images", "ROOT"],
            "--images: ROOT: expected images that end in .png, .jpg, .jpeg, .webp, got none",
        ),
        (["--images", "ROOT/few"], "--images: ROOT/few: expected 16 images or more, got 15"),
    ],
)
def test_what_cannot_be_analyzed_is_refused_by_option(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    if not (root / "few").exists():
        shutil.copytree(root / "own", root / "few")
        for place in range(15, IMAGES):
            (root / "few" / f"{place:02d}.png").unlink()
    assert analyze(root, "own", *(word.replace("ROOT", str(root)) for word in words)) == 1
    assert why.replace("ROOT", str(root)) in capsys.readouterr().err


def test_broken_pictures_are_all_named(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(root / "own", tmp_path / "own")
    whole = (tmp_path / "own/03.png").read_bytes()
    (tmp_path / "own/03.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "own/20.png").write_text("a picture")
    assert analyze(tmp_path, "own", pack=str(root / "small")) == 1
    told = capsys.readouterr().err
    assert "--images: 2 of 24 cannot be read: " in told
    assert f" {tmp_path}/own/03.png: not an image that can be read: " in told
    assert f"; {tmp_path}/own/20.png: not an image that can be read\n" in told


def test_a_pack_without_attributes_needs_a_segmenter(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze(root, "own", pack="bare") == 1
    assert "pack 'small': expected attributes, " in capsys.readouterr().err
