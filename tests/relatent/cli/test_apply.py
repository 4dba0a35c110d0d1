"""`relatent edit --save-recipe` keeps an edit, and `relatent apply` does it again: what is missing alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from PIL import Image

import relatent
from relatent.v1 import editing_pb2, inversion_pb2
from tests.relatent.cli.conftest import Ran
from tests.relatent.client import fake
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]
SMILE = {"version": 1, "operations": [{"kind": "move", "direction": "smile", "strength": 1}]}


def recipe(name: str = "recipe.json", **change: object) -> Path:
    Path(name).write_text(json.dumps(SMILE | change))
    return Path(name)


def contents(folder: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*.*")
        if path.is_file()
    }


@pytest.fixture
def pictures(image: Write) -> list[Path]:
    return [image("in/a.png"), image("in/more/b.png"), image("in/c.jpg")]


async def test_what_edit_keeps_apply_asks_for_again_to_the_letter(
    command: Command, image: Write, saved_code: Path, server: FakeServer
) -> None:
    words = "--to smile=0.8 --by yaw=10deg --hold age --mix code.safetensors=0-1 --set age=-2 --keep glasses"
    words += " --quality best --steps 20 --start code.safetensors --pack tiny"
    photo = str(image("photo.png"))
    assert (await command("edit", photo, *words.split(), "--save-recipe", "kept/all.json")).code == 0
    asked, server.requests = server.requests, []
    assert (await command("apply", "kept/all.json", photo)).code == 0
    assert [type(request) for request in asked] == [
        inversion_pb2.InvertStreamRequest,
        editing_pb2.EditRequest,
    ]
    assert server.requests == asked
    assert json.loads(Path("kept/all.json").read_text())["operations"][1]["other"]["file"] == (
        "../code.safetensors"
    )


async def test_every_input_gets_its_output_and_a_second_run_finds_nothing_to_do(
    command: Command, pictures: list[Path], server: FakeServer
) -> None:
    ran = await command("apply", str(recipe()), "in")
    assert (ran.code, len(server.requests)) == (0, 6)
    assert "3 done, 0 there already; results in out/apply/" in ran.out
    before = contents("out")
    results = {name for name in before if not name.startswith("apply/.relatent")}
    assert results == {
        f"apply/{stem}.{end}" for stem in ("a", "more/b", "c") for end in ("png", "safetensors")
    }
    ran = await command("apply", "recipe.json", "in", "--json")
    assert len(server.requests) == 6
    assert [each["kept"] for each in ran.document["results"]] == [True] * 3
    assert contents("out") == before


async def test_two_runs_from_nothing_make_the_same_bytes(command: Command, pictures: list[Path]) -> None:
    for out in ("one", "two"):
        assert (await command("apply", str(recipe()), "in", "-o", out)).code == 0
    assert contents("one") == contents("two")
    assert (await command("apply", str(recipe()), "in", "-o", "two", "--again")).code == 0
    assert contents("one") == contents("two")


@pytest.mark.parametrize(
    ("what", "again"),
    [
        ("a picture is gone", {"in/a.png"}),
        ("a code was cut short", {"in/a.png"}),
        ("a record is broken", {"in/a.png"}),
        ("an input has changed", {"in/a.png"}),
        ("an input is new", {"in/d.png"}),
        ("the recipe has changed", {"in/a.png", "in/more/b.png", "in/c.jpg"}),
        ("the recipe is only written otherwise", set[str]()),
        ("the pack has another revision", {"in/a.png", "in/more/b.png", "in/c.jpg"}),
        ("pictures of another format are asked for", {"in/a.png", "in/more/b.png", "in/c.jpg"}),
    ],
)
async def test_only_what_is_missing_or_of_something_else_is_made_again(
    command: Command,
    pictures: list[Path],
    image: Write,
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    again: set[str],
) -> None:
    await command("apply", str(recipe()), "in")
    words: list[str] = []
    match what:
        case "a picture is gone":
            Path("out/apply/a.png").unlink()
        case "a code was cut short":
            code = Path("out/apply/a.safetensors")
            code.write_bytes(code.read_bytes()[:-1])
        case "a record is broken":
            Path("out/apply/.relatent/a.png.json").write_text('{"pack": []}')
        case "an input has changed":
            Image.new("RGB", (8, 8), (9, 9, 9)).save("in/a.png")
        case "an input is new":
            image("in/d.png")
        case "the recipe has changed":
            recipe(inversion={"steps": 5})
        case "the recipe is only written otherwise":
            Path("recipe.json").write_text(json.dumps(SMILE | {"inversion": {}}, indent=8))
        case "the pack has another revision":
            newer = fake.catalog()
            newer.packs[0].revision = "2" * 64
            monkeypatch.setattr(fake, "catalog", lambda: newer)
        case _:
            words = ["--format", "webp"]
    ran = await command("apply", "recipe.json", "in", "--json", *words)
    assert ran.code == 0
    assert {each["input"] for each in ran.document["results"] if not each["kept"]} == again


async def test_a_failure_is_listed_and_made_up_for_by_another_run(
    command: Command, pictures: list[Path], server: FakeServer
) -> None:
    async def the_first_fails(request: Any, context: Any) -> AsyncIterator[Any]:
        if len(server.requests) == 1:
            await fake.abort(context, grpc.StatusCode.INVALID_ARGUMENT, "image: broken")
        if isinstance(request, inversion_pb2.InvertStreamRequest):
            async for response in fake.inverts(request, context):
                yield response

    server.scripts = [the_first_fails]
    ran = await command("apply", str(recipe()), "in", "-j", "1")
    assert ran.code == 1
    assert "2 done, 0 there already, 1 failed; results in out/apply/" in ran.out
    assert "relatent: in/a.png: image: broken" in ran.err
    server.scripts = []
    ran = await command("apply", "recipe.json", "in", "--json")
    assert (ran.code, ran.document["failed"]) == (0, [])
    assert [each["input"] for each in ran.document["results"] if not each["kept"]] == ["in/a.png"]


async def test_a_recipe_with_several_strengths_makes_a_strip_of_each_input(
    command: Command, pictures: list[Path]
) -> None:
    several = [{"kind": "move", "direction": "smile", "strength": [-1, 0, 1]}]
    await command("apply", str(recipe(operations=several)), "in")
    assert {path.name for path in Path("out/apply").glob("a.*")} == {
        "a.strip.png",
        *(f"a.0{index}.{end}" for index in range(3) for end in ("png", "safetensors")),
    }


async def test_codes_of_a_recipe_that_lie_among_the_inputs_are_no_inputs(
    command: Command, pictures: list[Path], saved_code: Path
) -> None:
    saved_code.rename("in/other.safetensors")
    mix = [{"kind": "mix", "other": {"file": "other.safetensors"}, "layers": [0, 1]}]
    ran = await command("apply", str(recipe("in/recipe.json", operations=mix)), "in", "--json")
    assert {Path(each["input"]).name for each in ran.document["results"]} == {"a.png", "b.png", "c.jpg"}
    assert {"input": "in/other.safetensors", "why": "a part of the recipe"} in ran.document["passed_over"]
    ran = await command("apply", "in/recipe.json", "in/other.safetensors")
    assert (ran.code, "every file that was handed over is a part of the recipe" in ran.err) == (2, True)


async def test_an_edit_that_ended_by_time_is_a_failure_as_it_cannot_be_done_again(
    command: Command, saved_code: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = editing_pb2.TargetOutcome(end=editing_pb2.TARGET_END_DEADLINE)
    image = editing_pb2.EditedImage(latent=fake.latent(), image=fake.picture(), targets=[hurried])

    async def edit(*_: object) -> editing_pb2.EditResponse:
        return editing_pb2.EditResponse(images=[image])

    monkeypatch.setattr(server, "Edit", edit)
    await server.die()
    await server.start()
    reach = [{"kind": "reach", "goals": [{"attribute": "smile", "to": 1}]}]
    ran = await command("apply", str(recipe(operations=reach)), str(saved_code), "--address", server.address)
    assert (ran.code, "it ended by time" in ran.err) == (1, True)
    assert not Path("out/apply/code.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["apply", "nowhere.json", "code.safetensors"], "nowhere.json: cannot be read: No such file"),
        (["apply", "recipe.json", "code.safetensors", "-o", "."], "a result would overwrite it"),
        (
            ["edit", "a.png", "--set", "smile=1", "--time-budget", "3", "--save-recipe", "r.json"],
            "inversion.time_budget: a recipe gives the same bytes each time",
        ),
        (
            ["edit", "a.png", "--set", "smile=1", "--save-recipe", "a.png"],
            "a.png: a result would overwrite it",
        ),
    ],
)
async def test_what_cannot_be_done_is_refused_before_any_work(
    command: Command,
    image: Write,
    saved_code: Path,
    server: FakeServer,
    words: list[str],
    message: str,
) -> None:
    image("a.png")
    recipe()
    ran = await command(*words)
    assert (ran.code, message in ran.err) == (2, True), ran.err
    assert server.requests == []


async def test_a_folder_that_cannot_be_read_fails_alone(command: Command, image: Write) -> None:
    image("in/a.png")
    Path("in/b.png").symlink_to("nowhere.png")
    ran = await command("apply", str(recipe()), "in")
    assert (ran.code, "1 done, 0 there already, 1 failed" in ran.out) == (1, True)
    assert relatent.LatentCode.load("out/apply/a.safetensors").pack == fake.PACK
