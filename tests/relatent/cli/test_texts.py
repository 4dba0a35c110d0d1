"""Edits and inversions by texts on the command line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from relatent.cli import words
from relatent.cli.main import main
from relatent.client.texts import Text
from relatent.v1 import editing_pb2, inversion_pb2
from tests.relatent.cli.conftest import Ran
from tests.relatent.client.fake import FakeServer

Command = Callable[..., Awaitable[Ran]]
Write = Callable[[str], Path]


@pytest.mark.parametrize(
    ("word", "prompt", "strength"),
    [
        ("an old person", "an old person", None),
        ("an old person=1.5", "an old person", [1.5]),
        ("an old person=-1,0,2", "an old person", [-1.0, 0.0, 2.0]),
        ("old=0:1:3", "old", [0.0, 0.5, 1.0]),
        ("age = 60", "age ", [60.0]),
        ("a=b", "a=b", None),
        ("a=b=2", "a=b", [2.0]),
        ("a=2=b", "a=2=b", None),
        ("old=", "old=", None),
        ("=2", "=2", None),
        ("=", "=", None),
        ("", "", None),
    ],
)
def test_strengths_are_what_stands_behind_the_last_equals_sign_where_numbers_do(
    word: str, prompt: str, strength: list[float] | None
) -> None:
    parsed = words.text_move(word)
    assert parsed.operation == Text(prompt, strength=strength)
    assert parsed.files == ()


@pytest.mark.parametrize("word", ["old=1,,2", "old=1:2:1", "old=1.2.3"])
def test_numbers_gone_wrong_are_told_and_not_taken_for_words(word: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a number, several as"):
        words.text_move(word)


@pytest.mark.parametrize("option", ["--beta=0.3", "--neutral=a person"])
async def test_what_is_for_texts_is_refused_without_one(
    command: Command, saved_code: Path, server: FakeServer, option: str
) -> None:
    ran = await command("edit", str(saved_code), "--set", "age=1", option)
    assert ran.code != 0
    assert f"{option.split('=')[0]}: expected --text" in ran.err
    assert not server.requests


async def test_a_text_is_asked_for_among_others_with_what_all_texts_share(
    command: Command, saved_code: Path, server: FakeServer
) -> None:
    asked = ["--text", "a = b=1,2", "--set", "age=1", "--text", "glasses", "--neutral", "a person"]
    ran = await command("edit", str(saved_code), *asked, "--beta", "0.25", "--json")
    assert ran.code == 0
    assert [each["strength"] for each in ran.document["results"][0]["images"]] == [1.0, 2.0]
    first, move, second = server.requests[0].operations
    shared: dict[str, Any] = {"neutral": "a person", "beta": 0.25}
    assert first.text == editing_pb2.TextMove(prompt="a = b", strengths=[1.0, 2.0], **shared)
    assert second.text == editing_pb2.TextMove(prompt="glasses", **shared)
    assert move.direction.direction == "age"
    assert Path("out/edit/code.01.png").is_file()


async def test_what_is_not_said_is_left_to_the_pack(
    command: Command, saved_code: Path, server: FakeServer
) -> None:
    assert (await command("edit", str(saved_code), "--text", "old")).code == 0
    assert server.requests[0].operations[0].text == editing_pb2.TextMove(prompt="old")


async def test_a_text_is_kept_in_a_recipe_and_applied_again(
    command: Command, saved_code: Path, server: FakeServer
) -> None:
    asked = ["--text", "old=0.5", "--neutral", "a person", "--beta", "0.3", "--save-recipe", "kept/old.json"]
    assert (await command("edit", str(saved_code), *asked)).code == 0
    assert json.loads(Path("kept/old.json").read_text())["operations"] == [
        {"kind": "text", "prompt": "old", "neutral": "a person", "strength": 0.5, "beta": 0.3}
    ]
    assert (await command("apply", "kept/old.json", str(saved_code))).code == 0
    assert server.requests[1].operations == server.requests[0].operations


async def test_an_edits_neutral_text_is_none_of_an_inversion_without_a_prompt(
    command: Command, image: Write, server: FakeServer
) -> None:
    photo = str(image("photo.png"))
    assert (await command("edit", photo, "--text", "old", "--neutral", "a person")).code == 0
    inverted, edited = server.requests
    assert (inverted.options.refinement.text, inverted.options.refinement.neutral) == ("", "")
    assert edited.operations[0].text.neutral == "a person"


async def test_a_prompt_is_what_an_inversion_leads_to(
    command: Command, image: Write, server: FakeServer
) -> None:
    photo = str(image("photo.png"))
    asked = ["--method", "text", "--prompt", "an old person", "--neutral", "a person"]
    for name, more in (("invert", []), ("edit", ["--set", "age=1", "--save-recipe", "r.json"])):
        server.requests.clear()
        assert (await command(name, photo, *asked, *more)).code == 0
        request = server.requests[0]
        assert isinstance(request, inversion_pb2.InvertStreamRequest)
        refinement = request.options.refinement
        assert (refinement.text, refinement.neutral) == ("an old person", "a person")
    kept = json.loads(Path("r.json").read_text())["inversion"]
    assert kept == {"method": "text", "text": "an old person", "neutral": "a person"}


@pytest.mark.parametrize("word", ["much", "-0.1", "inf", "nan"])
def test_a_beta_that_is_no_relevance_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["edit", "a.png", "--text", "old", f"--beta={word}"])
    assert caught.value.code == 2
    assert f"--beta: expected a number of at least 0, got '{word}'" in capsys.readouterr().err


def test_words_of_other_operations_keep_their_forms() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected DIRECTION=STRENGTH"):
        words.move("smile")
    assert words.move("smile=1").operation == words.move("smile=1.0").operation
