"""A recipe done by a real service, through real graphs: the same input gives the same bytes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import relatent
from relatent.cli.main import main
from tests.fixtures import tiny
from tests.fixtures.requests import REVISION, code, image

pytestmark = pytest.mark.asyncio(loop_scope="function")
INPUTS = 6


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures, a code among them, and a recipe that takes from another code and aims at an attribute."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for seed in range(INPUTS - 1):
        (tmp_path / "in" / f"{seed}.png").write_bytes(image(seed).data)
    relatent.LatentCode(code(1), "tiny", REVISION).save("in/code.safetensors")
    other = relatent.LatentCode(code(2), "tiny", REVISION)
    other.save("other.safetensors")
    relatent.Recipe(
        [
            relatent.Mix(other, (1, 1)),
            relatent.Move("redness", 0.1),
            relatent.Reach([relatent.Goal("brightness", to=[45.0, 55.0], unit="%")]),
        ],
        {"steps": 6},
        files={"operations[0].other": "other.safetensors"},
    ).save("recipe.json")
    return tmp_path


async def apply(running: Any, out: str, *words: str) -> int:
    argv = ["apply", "recipe.json", "in", "-o", out, "--address", running.address, *words]
    return await asyncio.to_thread(main, argv)


def contents(folder: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
    }


async def test_two_runs_make_the_same_pictures_and_codes_whatever_their_company(
    running: Any, folder: Path
) -> None:
    assert await apply(running, "one", "-j", "6") == 0
    assert await apply(running, "two", "-j", "1") == 0
    assert len(contents("one")) == INPUTS * (2 + 2 + 1 + 1)  # pictures, codes, a strip and a record
    assert contents("one") == contents("two")


async def test_a_run_that_lost_a_part_makes_it_again_to_the_byte_and_asks_for_nothing_else(
    running: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await apply(running, "out") == 0
    before = contents("out")
    Path("out/3.01.png").unlink()
    Path("out/code.strip.png").write_bytes(b"")
    capsys.readouterr()
    assert await apply(running, "out", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    made = {each["input"] for each in document["results"] if not each["kept"]}
    assert made == {"in/3.png", "in/code.safetensors"}
    assert contents("out") == before
    running.engine.calls.clear()
    assert await apply(running, "out") == 0
    assert running.engine.calls == []


async def test_what_is_made_is_what_the_recipe_says(running: Any, folder: Path) -> None:
    assert await apply(running, "out") == 0
    for number, share in ((0, 0.45), (1, 0.55)):
        with Image.open(f"out/code.0{number}.png") as picture:
            read = tiny.readings(np.asarray(picture)[None])[0]
        assert read[0] == pytest.approx(share, abs=0.011)
