"""Texts on the page: what moved, in words, and what the model knows nothing of."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import create_autospec

import grpc
import pytest

from relatent.client.blocking import Client
from relatent.client.errors import FieldViolation, InputError, InvalidArgumentError
from relatent.client.recipes import Recipe
from relatent.client.results import Edit, Timings
from relatent.client.texts import Text
from relatent.client.transfers import AttributeReading
from relatent.playground.tabs.text import wording
from relatent.playground.tabs.text.wording import TextWork
from tests.relatent.playground.made import PACK, edited, inversion

TEXT = Text("a person with glasses", "a person", 1.0, 0.25)
BEFORE = {"age": 50.0, "glasses": 0.1}
WORK = TextWork("key", "path", {"method": "hybrid"}, inversion(), BEFORE)


def refusing(field: str, message: str, reason: str = "INVALID_FIELD") -> Client:
    client = create_autospec(Client)
    told = FieldViolation(f"operations[0].text.{field}", message)
    client.edit.side_effect = InvalidArgumentError(
        grpc.StatusCode.INVALID_ARGUMENT, f"{told.field}: {message}", reason=reason, violations=[told]
    )
    return client


def test_a_text_moves_the_picture_as_it_was_inverted_and_reads_what_came_of_it() -> None:
    client = create_autospec(Client)
    client.edit.return_value = Edit((edited(),), None, Timings(0, 0, 0))
    client.read.return_value = {"age": AttributeReading(50, "years"), "glasses": AttributeReading(0.9, "")}
    work = wording.move(client, PACK, WORK, TEXT)
    source, operations = client.edit.call_args.args
    assert source is WORK.inversion.latent
    assert operations == [TEXT]
    assert (work.text, work.after) == (TEXT, {"age": 50, "glasses": 0.9})
    told = wording.in_words(work, PACK.described)
    assert told[0][0] == "100% of the picture changed to the eye."
    assert told[1:] == (("Much more: glasses", "0.10 → 0.90"),)


def test_what_moved_furthest_comes_first_and_what_hardly_moved_not_at_all() -> None:
    after = {"age": 35.0, "glasses": 0.2}
    told = wording.moved(BEFORE, after, PACK.described)
    assert told == [("Somewhat less: age", "50 years → 35 years"), ("A little more: glasses", "0.10 → 0.20")]
    assert wording.moved(BEFORE, {"age": 51.0, "glasses": 0.1}, PACK.described) == []


def test_words_that_the_model_does_not_know_are_named() -> None:
    message = "expected words that the pack's tokenizer knows, not 'zebu', 'gnu'"
    with pytest.raises(InputError, match="knows nothing of 'zebu', 'gnu'"):
        wording.move(refusing("prompt", message, "UNKNOWN_WORDS"), PACK, WORK, TEXT)


def test_a_text_that_nothing_goes_with_is_said_with_what_would_do() -> None:
    with pytest.raises(InputError, match=r"as closely as 0\.25: lower the threshold"):
        wording.move(refusing("beta", "none has 0.25"), PACK, WORK, TEXT)


def test_other_refusals_pass_as_they_are() -> None:
    with pytest.raises(InvalidArgumentError, match="32 tokens"):
        wording.move(refusing("prompt", "expected 32 tokens at most"), PACK, WORK, TEXT)


def test_a_recipe_has_the_text_and_there_is_none_before(tmp_path: Path) -> None:
    assert wording.files(PACK, WORK) == {}
    assert wording.in_words(WORK, PACK.described) == ()
    done = TextWork("key", "path", {"method": "hybrid"}, inversion(), BEFORE, TEXT, edited(), BEFORE)
    (tmp_path / "text.json").write_bytes(wording.files(PACK, done)["text.json"]())
    recipe = Recipe.load(tmp_path / "text.json")
    assert recipe.operations == (TEXT,)
    assert recipe.options == {"method": "hybrid", "pack": PACK.name}
