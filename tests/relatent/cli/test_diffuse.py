"""`relatent diffuse` sends what it is told, writes a picture and its code, and refuses nonsense."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PIL import Image

import relatent
from tests.relatent.cli.conftest import Ran
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]


@pytest.fixture
def words(image: Write) -> list[str]:
    """A target, a context and a mask, as the command takes them."""
    target, context, mask = (str(image(f"{name}.png")) for name in ("face", "portrait", "mask"))
    return ["diffuse", target, context, "--within", mask]


async def test_the_picture_and_its_code_are_written_and_told(
    command: Command, words: list[str], server: FakeServer
) -> None:
    ran = await command(*words, "--feather", "1.5", "--blend", "--steps", "7", "-o", "made/both.webp")
    assert ran.code == 0
    (request,) = server.requests
    assert (request.region.feather, request.blend, request.options.refinement.steps) == (1.5, True, 7)
    assert request.target.data == Path(words[1]).read_bytes()
    assert request.context.data == Path(words[2]).read_bytes()
    with Image.open("made/both.webp") as picture:
        assert (picture.format, picture.size) == ("WEBP", (8, 8))
    relatent.LatentCode.load("made/both.safetensors")
    assert "made/both.webp: PSNR 20.0 dB" in ran.out
    assert "border error 31.88 of 255 levels; 63.75 where the two are only stitched" in ran.out


async def test_programs_get_one_document(command: Command, words: list[str]) -> None:
    document = (await command(*words, "--json")).document
    assert (document["image"], document["latent"]) == ("out/diffuse.png", "out/diffuse.safetensors")
    assert (document["target"], document["context"]) == (words[1], words[2])
    assert (document["border_error"], document["stitched_border_error"]) == (0.125, 0.25)
    assert document["inversion"]["steps"] == 5
    assert Path(document["image"]).is_file()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--blend"], "--blend: expected a --feather above 0 besides"),
        (["--feather", "2"], "--feather: expected --blend besides"),
        (["-o", "face.png"], "face.png: a result would overwrite it"),
        (["-o", "both.psd"], "both.psd"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    command: Command, words: list[str], server: FakeServer, more: list[str], why: str
) -> None:
    ran = await command(*words, *more)
    assert ran.code == 2
    assert why in ran.err
    assert server.requests == []


async def test_a_mask_of_other_proportions_and_a_missing_file_end_as_in_other_commands(
    command: Command, words: list[str], tmp_path: Path
) -> None:
    Image.new("L", (16, 8), 255).save(tmp_path / "wide.png")
    ran = await command(*words[:-1], "wide.png")
    assert (ran.code, "within.mask: expected the image's proportions" in ran.err) == (2, True)
    ran = await command("diffuse", "nowhere.png", *words[2:])
    assert (ran.code, "nowhere.png: No such file" in ran.err) == (2, True)
