"""Every example runs, as a user would run it, against a real service of the demo pack."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import relatent

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DRAWINGS = sorted((ROOT / "packs" / "demo" / "drawings").glob("*.png"))
TRIED = ("invert_and_edit", "invert_folder", "morph")


def run(name: str, *words: object, expected: int = 0) -> str:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_all_of_them_are_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(TRIED)


def test_a_portrait_is_inverted_and_edited(address: str, tmp_path: Path) -> None:
    said = run("invert_and_edit", DRAWINGS[0], "--into", tmp_path, "--address", address)
    assert "by hybrid" in said
    assert "100/100 steps" in said
    assert {path.name for path in tmp_path.iterdir()} >= {"code.safetensors", "smile-2.png", "smile+2.png"}


def test_a_folder_is_inverted_and_a_second_run_has_nothing_to_do(address: str, tmp_path: Path) -> None:
    for drawing, name in zip(DRAWINGS, ("a.1.png", "a.2.png", "b.png"), strict=False):
        shutil.copy(drawing, tmp_path / name)
    words = (tmp_path, "--into", tmp_path / "codes", "--address", address)
    assert "3 of 3 done" in run("invert_folder", *words)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "codes").iterdir()}
    assert len(before) == 3
    assert "3 of 3 done" in run("invert_folder", *words)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "codes").iterdir()} == before


def test_a_folder_goes_on_from_what_an_earlier_run_left(address: str, tmp_path: Path) -> None:
    shutil.copy(DRAWINGS[0], tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    checkpoints: list[relatent.Checkpoint] = []

    def keep(progress: relatent.Progress) -> None:
        if progress.checkpoint is not None:
            checkpoints.append(progress.checkpoint)

    with relatent.Client(address) as client:
        client.invert(tmp_path / "a.png", steps=20, progress=keep)
    codes = tmp_path / "codes"
    codes.mkdir()
    (codes / "a.png.checkpoint").write_bytes(checkpoints[-1].to_bytes())
    said = run("invert_folder", tmp_path, "--into", codes, "--address", address, expected=1)
    assert "1 of 2 done" in said
    assert "broken.png" in said
    assert [path.name for path in codes.iterdir()] == ["a.png.safetensors"]


@pytest.mark.parametrize("frames", [5])
def test_a_morph_is_an_animation_there_and_back(address: str, tmp_path: Path, frames: int) -> None:
    into = tmp_path / "morph.gif"
    run("morph", *DRAWINGS[:2], "--frames", frames, "--into", into, "--address", address)
    with Image.open(into) as picture:
        picture.seek(frames - 1)
