"""`relatent edit` and `relatent morph` apply what they are told, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PIL import Image

import relatent
from relatent.cli.main import main
from relatent.v1 import editing_pb2, inversion_pb2
from tests.relatent.cli.conftest import Ran
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]


async def test_operations_are_applied_in_order(
    command: Command, saved_code: Path, server: FakeServer
) -> None:
    words = f"--set smile=1.5 --mix {saved_code}=4-9 --set age=-2 --towards {saved_code}=0.5 --truncate 0.7"
    ran = await command("edit", str(saved_code), *words.split(), "--keep", "glasses", "age")
    assert ran.code == 0
    smile, mix, age, towards, truncate = server.requests[0].operations
    assert (smile.direction.direction, list(smile.direction.strengths)) == ("smile", [1.5])
    assert list(smile.direction.conditions) == ["glasses", "age"]
    assert (mix.style_mix.layers.first, mix.style_mix.layers.last) == (4, 9)
    assert (age.direction.direction, list(age.direction.strengths)) == ("age", [-2.0])
    assert list(age.direction.conditions) == ["glasses"]
    assert list(towards.interpolation.amounts) == [0.5]
    assert truncate.truncation.psi == pytest.approx(0.7)
    assert Path("out/edit/code.png").is_file()
    relatent.LatentCode.load("out/edit/code.safetensors")


async def test_several_strengths_make_a_strip(command: Command, saved_code: Path, server: FakeServer) -> None:
    words = ["--set", "brightness=-3:3:4", "--absolute", "--layers", "0-1", "--json"]
    ran = await command("edit", str(saved_code), *words)
    move = server.requests[0].operations[0].direction
    assert list(move.strengths) == [-3.0, -1.0, 1.0, 3.0]
    assert move.mode == editing_pb2.STRENGTH_MODE_ABSOLUTE
    assert (move.layers.first, move.layers.last) == (0, 1)
    [result] = ran.document["results"]
    assert [image["strength"] for image in result["images"]] == [-3.0, -1.0, 1.0, 3.0]
    for image in result["images"]:
        assert Path(image["image"]).is_file()
        relatent.LatentCode.load(image["latent"])
    with Image.open(result["strip"]) as strip:
        assert strip.size == (4 * 8 + 3 * 2, 8)


async def test_an_image_is_inverted_and_edited(command: Command, image: Write, server: FakeServer) -> None:
    ran = await command("edit", str(image("photo.png")), "--set", "smile=1", "--steps", "20")
    assert ran.code == 0
    assert "inverted: PSNR 20.0 dB" in ran.out
    assert server.requests[0].options.refinement.steps == 20


async def test_an_edit_is_confined_to_a_mask(
    command: Command, image: Write, saved_code: Path, server: FakeServer
) -> None:
    mask = image("mask.png")
    words = ["--set", "smile=1", "--within", str(mask), "--feather", "1.5"]
    assert (await command("edit", str(saved_code), str(image("photo.png")), *words)).code == 0
    edits = [each for each in server.requests if isinstance(each, editing_pb2.EditRequest)]
    assert {each.region.mask.data for each in edits} == {mask.read_bytes()}
    assert {each.region.feather for each in edits} == {1.5}


async def test_a_mask_of_other_proportions_than_the_image_is_refused_before_it_is_inverted(
    command: Command, image: Write, server: FakeServer, tmp_path: Path
) -> None:
    Image.new("L", (16, 8), 255).save(tmp_path / "wide.png")
    ran = await command("edit", str(image("photo.png")), "--set", "smile=1", "--within", "wide.png")
    assert ran.code == 1
    assert "within.mask: expected the image's proportions, 8 x 8, got 16 x 8" in ran.err + ran.out
    assert not [each for each in server.requests if isinstance(each, inversion_pb2.InvertStreamRequest)]


async def test_a_feather_without_a_mask_is_refused(command: Command, saved_code: Path) -> None:
    ran = await command("edit", str(saved_code), "--set", "smile=1", "--feather", "2")
    assert ran.code == 2
    assert "--feather: expected --within besides" in ran.err


async def test_a_folder_of_images_and_codes_is_edited(
    command: Command, image: Write, saved_code: Path
) -> None:
    for name in ("in/a.png", "in/b.png"):
        image(name)
    saved_code.rename("in/c.safetensors")
    ran = await command("edit", "in", "--set", "smile=1")
    assert "3 of 3 done" in ran.out
    assert {path.name for path in Path("out/edit").glob("*.png")} == {"a.png", "b.png", "c.png"}


@pytest.mark.parametrize(
    "words",
    [
        ["edit", "code.safetensors", "--set", "smile=1", "-o", "."],
        ["edit", "code.jpg", "--mix", "code.safetensors=0-1", "-o", "."],
        ["edit", "code.jpg", "--towards", "code.safetensors=0.5", "-o", "."],
        ["edit", "code.jpg", "code.00.png", "--set", "smile=1,2", "-o", "."],
        ["edit", "code.jpg", "code.strip.png", "--set", "smile=1,2", "-o", "."],
        ["morph", "code.jpg", "code.safetensors", "-o", "code.jpg"],
        ["morph", "code.jpg", "code.safetensors", "--mask", "code.00.png", "-o", "code.00.png"],
    ],
)
async def test_a_result_that_would_overwrite_an_input_is_refused_before_any_work(
    command: Command, image: Write, server: FakeServer, saved_code: Path, words: list[str]
) -> None:
    for name in ("code.jpg", "code.00.png", "code.strip.png"):
        image(name)
    before = {path: path.read_bytes() for path in Path().iterdir()}
    ran = await command(*words)
    assert ran.code == 2
    assert "a result would overwrite it; choose another place with --out" in ran.err
    assert server.requests == []
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


async def test_several_results_beside_their_source_are_written(command: Command, saved_code: Path) -> None:
    ran = await command("edit", str(saved_code), "--set", "smile=1,2", "-o", ".")
    assert ran.code == 0
    assert Path("code.01.safetensors").is_file()


async def test_no_operation_is_nothing_to_do(command: Command, saved_code: Path) -> None:
    ran = await command("edit", str(saved_code))
    assert (ran.code, "expected --to, --by, --set" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--set", "smile"], "expected DIRECTION=STRENGTH"),
        (["--set", "smile=much"], "expected a number, several as -2,0,2"),
        (["--set", "smile=0:1:1"], "FROM:TO:COUNT"),
        (["--layers", "a-b"], "expected layers FIRST-LAST"),
        (["--towards", "nowhere.safetensors=1"], "no such file"),
        (["--truncate", "x"], "expected a number from 0 to 1"),
    ],
)
def test_wrong_operations_are_explained(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["edit", "a.png", *flags])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


async def test_a_morph_takes_as_many_calls_as_the_service_allows_images(
    command: Command, image: Write, saved_code: Path, server: FakeServer
) -> None:
    ran = await command("morph", str(image("a.png")), str(saved_code), "--frames", "5", "-o", "m.png")
    assert ran.code == 0
    amounts = [
        list(request.operations[0].interpolation.amounts)
        for request in server.requests
        if isinstance(request, editing_pb2.EditRequest)
    ]
    assert amounts == [[0.0, 0.25, 0.5], [0.75, 1.0]]
    with Image.open("m.png") as strip:
        assert strip.size == (5 * 8 + 4 * 2, 8)


async def test_a_morph_is_written_as_an_animation(command: Command, saved_code: Path) -> None:
    ran = await command("morph", str(saved_code), str(saved_code), "--frames", "3", "-o", "m.gif", "--json")
    assert ran.document == {"output": "m.gif", "frames": 3}
    with Image.open("m.gif") as gif:
        assert gif.format == "GIF"


async def test_a_morph_of_a_missing_file_fails(command: Command, saved_code: Path) -> None:
    ran = await command("morph", "nowhere.png", str(saved_code))
    assert ran.code == 2
    assert "nowhere.png: No such file" in ran.err
    ran = await command("morph", str(saved_code), str(saved_code), "-o", "m.txt")
    assert ran.code == 2
    assert "expected a name ending in .png" in ran.err
