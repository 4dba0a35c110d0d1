"""`relatent morph` goes evenly from one end to the other, as strips, animations and frames."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from relatent.cli import sheets
from relatent.v1 import synthesis_pb2
from tests.relatent.cli.conftest import Ran
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]


def colours(count: int) -> list[Image.Image]:
    return [Image.new("RGB", (8, 8), (40 * index, 0, 0)) for index in range(count)]


def shown(path: Path) -> list[tuple[int, int]]:
    """The red and the milliseconds of each frame."""
    frames: list[tuple[int, int]] = []
    with Image.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            pixel: Any = image.convert("RGB").getpixel((4, 4))
            frames.append((pixel[0], image.info["duration"]))
    return frames


@pytest.mark.parametrize("name", ["a.webp", "a.gif"])
def test_an_animation_lasts_as_long_as_its_frames_a_second_say(name: str, tmp_path: Path) -> None:
    sheets.animation(colours(6), tmp_path / name, 12)
    frames = shown(tmp_path / name)
    assert [red for red, _ in frames] == pytest.approx([0, 40, 80, 120, 160, 200], abs=4)
    assert sum(lasts for _, lasts in frames) == pytest.approx(500, abs=30)  # a GIF counts in hundredths
    with Image.open(tmp_path / name) as image:
        assert image.info["loop"] == 0
    before = (tmp_path / name).read_bytes()
    sheets.animation(colours(6), tmp_path / name, 12)
    assert (tmp_path / name).read_bytes() == before


async def test_a_morph_between_seeds_asks_for_points_on_their_path(
    command: Command, server: FakeServer
) -> None:
    words = ["--seeds", "3,7", "--frames", "5", "--truncation", "1", "-o", "m.png", "--pack", "tiny"]
    ran = await command("morph", *words)
    assert ran.code == 0
    assert ran.out == "5 frames from 3 to 7: m.png\n"
    first, second = server.requests
    for request in (first, second):
        assert isinstance(request, synthesis_pb2.SampleRequest)
        assert (request.path.first, request.path.last, list(request.seeds)) == (3, 7, [])
        assert (request.truncation, request.pack) == (1, "tiny")
    assert [*first.path.amounts, *second.path.amounts] == [0, 0.25, 0.5, 0.75, 1]


async def test_frames_are_numbered_for_a_film_and_come_back_where_asked(
    command: Command, saved_code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["morph", "code.safetensors", "code.safetensors", "--frames", "4"]
    ran = await command(*words, "--sequence", "there", "--animate", "there.webp", "--json")
    assert ran.document == {"output": None, "frames": 4, "animation": "there.webp", "sequence": "there"}
    assert sorted(path.name for path in Path("there").iterdir()) == [
        f"frame-000{number}.png" for number in range(1, 5)
    ]
    assert not Path("out").exists()
    written: list[int] = []
    monkeypatch.setattr(sheets, "animation", lambda frames, path, fps: written.append(len(frames)))
    await command(*words, "--sequence", "back", "--animate", "back.webp", "--there-and-back")
    assert len(list(Path("back").iterdir())) == 7
    assert written == [6]  # the seventh is the first again, with which the animation begins anew


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.png"], "expected A and B, or --seeds, got 1"),
        ([], "expected A and B, or --seeds, got neither"),
        (["a.png", "a.png", "--seeds", "1,2"], "--seeds: expected no A and B besides"),
        (["a.png", "a.png", "--truncation", "1"], "--truncation: expected --seeds besides"),
        (
            ["--seeds", "1,2", "--animate", "a.png"],
            "a.png: expected a name ending in .gif or .webp",
        ),
        (["--seeds", "1,2", "--sequence", "long"], "there is frame-0009.png of a longer sequence"),
        (
            ["long/frame-0009.png", "a.png", "--frames", "9", "--sequence", "long"],
            "a result would overwrite it",
        ),
    ],
)
async def test_what_makes_no_morph_is_refused_before_any_work(
    command: Command, image: Write, server: FakeServer, words: list[str], message: str
) -> None:
    image("a.png")
    image("long/frame-0009.png")
    ran = await command("morph", *words)
    assert (ran.code, message in ran.err) == (2, True), ran.err
    assert server.requests == []
