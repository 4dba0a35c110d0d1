"""`relatent read`, and what `relatent edit` takes over from other pictures."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from relatent.cli.main import main
from relatent.v1 import editing_pb2, synthesis_pb2
from tests.relatent.cli.conftest import Ran
from tests.relatent.client import fake
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]


async def test_what_images_read_is_told_in_their_units(command: Command, image: Write) -> None:
    image("a.png")
    ran = await command("read", "a.png")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "a.png  value  unit",
        "smile  0.75",
        "yaw    -12.5  deg",
    ]


async def test_readings_are_given_to_programs_and_failures_with_them(command: Command, image: Write) -> None:
    image("a.png")
    ran = await command("read", "a.png", "nowhere.png", "--json")
    assert ran.code == 1
    [result] = ran.document["results"]
    assert result == {
        "input": "a.png",
        "readings": {"smile": {"value": 0.75, "unit": ""}, "yaw": {"value": -12.5, "unit": "deg"}},
    }
    assert [each["input"] for each in ran.document["failed"]] == ["nowhere.png"]


async def test_a_codes_own_image_is_read(command: Command, saved_code: Path, server: FakeServer) -> None:
    assert (await command("read", "code.safetensors")).code == 0
    made, read = server.requests
    assert isinstance(made, synthesis_pb2.SynthesizeRequest)
    assert (read.pack, read.image.data) == (fake.PACK, fake.picture().data)


async def test_what_a_reference_reads_becomes_what_is_aimed_at(
    command: Command, image: Write, saved_code: Path, server: FakeServer
) -> None:
    image("other.png")
    words = "--set age=1 --like other.png --attributes yaw,smile --hold none --save-recipe like.json"
    assert (await command("edit", "code.safetensors", *words.split())).code == 0
    _, edit = server.requests
    move, reach = edit.operations
    assert move.direction.direction == "age"
    found = [(each.attribute, list(each.to), each.unit) for each in reach.attribute_target.goals]
    assert found == [("yaw", [-12.5], "deg"), ("smile", [0.75], "")]
    assert list(reach.attribute_target.hold.names) == []
    assert json.loads(Path("like.json").read_text())["operations"][1]["goals"][0] == {
        "attribute": "yaw",
        "to": -12.5,
        "unit": "deg",
    }


async def test_all_attributes_are_taken_over_unless_some_are_named(
    command: Command, image: Write, saved_code: Path, server: FakeServer
) -> None:
    image("other.png")
    assert (await command("edit", "code.safetensors", "--like", "other.png", "--by", "age=5")).code == 0
    (reach,) = server.requests[1].operations
    assert [each.attribute for each in reach.attribute_target.goals] == ["smile", "yaw", "age"]


async def test_an_expression_is_transferred_and_kept_in_a_recipe(
    command: Command, saved_code: Path, server: FakeServer
) -> None:
    Path("calm,1.safetensors").write_bytes(saved_code.read_bytes())
    words = ["--transfer", "calm,1.safetensors,code.safetensors=0.5,1", "--threshold", "0"]
    ran = await command("edit", "code.safetensors", *words, "--save-recipe", "kept/r.json", "--json")
    assert ran.code == 0
    assert [each["strength"] for each in ran.document["results"][0]["images"]] == [0.5, 1.0]
    transfer = server.requests[0].operations[0].expression_transfer
    assert (list(transfer.amounts), transfer.threshold) == ([0.5, 1.0], 0.0)
    assert json.loads(Path("kept/r.json").read_text())["operations"] == [
        {
            "kind": "transfer",
            "source": {"file": "../calm,1.safetensors"},
            "target": {"file": "../code.safetensors"},
            "amount": [0.5, 1],
            "threshold": 0,
        }
    ]
    ran = await command("apply", "kept/r.json", "out/edit/code.00.safetensors")
    assert (ran.code, server.requests[1].operations) == (0, server.requests[0].operations)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--like", "a.png", "--attributes", "nose"],
            "--attributes: expected some of smile, yaw, got 'nose'",
        ),
        (["--like", "nowhere.png"], "nowhere.png: No such file"),
        (["--set", "smile=1", "--attributes", "yaw"], "--attributes: expected --like besides"),
        (["--set", "smile=1", "--hold", "yaw"], "--hold: expected --to, --by or --like besides"),
        (["--like", "a.png", "-o", "."], "a.png: a result would overwrite it"),
    ],
)
async def test_what_cannot_be_taken_over_is_told_before_any_edit(
    command: Command, image: Write, saved_code: Path, server: FakeServer, words: list[str], message: str
) -> None:
    image("a.png")
    saved_code.rename("a.safetensors")
    ran = await command("edit", "a.safetensors", *words)
    assert (ran.code, message in ran.err) == (2, True), ran.err
    assert not any(isinstance(request, editing_pb2.EditRequest) for request in server.requests)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--transfer", "a.safetensors=1"], "expected FROM.safetensors,TO.safetensors=AMOUNT"),
        (["--transfer", "a.safetensors,b.safetensors"], "expected FROM.safetensors,TO.safetensors=AMOUNT"),
        (["--transfer", "a.safetensors,b.safetensors=1"], "a.safetensors: no such file"),
        (["--threshold", "-1"], "expected a number of at least 0"),
        (["--like", "a.png", "--attributes", "a,"], "expected names of attributes with commas between"),
    ],
)
def test_wrong_words_are_explained(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["edit", "a.png", *words])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
