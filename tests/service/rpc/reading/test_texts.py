"""Texts of requests: cut into tokens as the pack's model takes them, or refused by their field."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, processors

from relatent.core.pack import Pack
from relatent.v1 import editing_pb2 as v1
from relatent_service.errors import InvalidField
from relatent_service.rpc.reading.texts import read_text, read_text_move
from tests.fixtures import texts

FIELD = "operations[0].text"
MOST = 3


def refusal(pack: Pack, **fields: Any) -> InvalidField:
    move = v1.TextMove(**{"prompt": "a smiling person", **fields})
    with pytest.raises(InvalidField) as caught:
        read_text_move(pack, move, MOST, FIELD)
    return caught.value


def test_texts_become_tokens_filled_up_behind_and_the_rest_is_the_packs(worded_pack: Pack) -> None:
    move = read_text_move(worded_pack, v1.TextMove(prompt="a smiling person"), MOST, FIELD)
    np.testing.assert_array_equal(move.prompt.ids, [[2, 5, 3, 0, 0]])
    np.testing.assert_array_equal(move.prompt.mask, [[1, 1, 1, 0, 0]])
    np.testing.assert_array_equal(move.neutral.ids, [[2, 3, 0, 0, 0]])
    assert move.prompt.ids.dtype == move.prompt.mask.dtype == np.int64
    assert (move.strengths, move.beta) == ((1.5,), 0.2)


def test_what_is_said_counts_and_several_strengths_make_a_strip(worded_pack: Pack) -> None:
    said = v1.TextMove(prompt="old", neutral="smiling", strengths=[-1, 0, 2], beta=0.5)
    move = read_text_move(worded_pack, said, MOST, FIELD)
    assert (move.strip, move.beta) == ((-1.0, 0.0, 2.0), 0.5)
    assert (move.neutral.ids[0, 0], move.prompt.ids[0, 0]) == (5, 4)


def test_a_text_of_as_many_tokens_as_the_model_takes_is_taken_whole(worded_pack: Pack) -> None:
    move = read_text_move(worded_pack, v1.TextMove(prompt="a a a a old"), MOST, FIELD)
    np.testing.assert_array_equal(move.prompt.ids, [[2, 2, 2, 2, 4]])
    assert move.prompt.mask.all()


@pytest.mark.parametrize(
    ("fields", "where", "says"),
    [
        ({"prompt": ""}, "prompt", "expected a text, got none"),
        ({"prompt": " \n"}, "prompt", "expected a text, got none"),
        ({"neutral": " "}, "neutral", "expected a text, got none"),
        ({"prompt": "old " * 6}, "prompt", "expected 5 tokens at most, got 6"),
        ({"neutral": "old " * 6}, "neutral", "expected 5 tokens at most, got 6"),
        ({"prompt": "x" * 1001}, "prompt", "expected 1000 letters at most, got 1001"),
        ({"prompt": "a person"}, "prompt", "says another thing than 'a person'"),
        (
            {"prompt": "old", "neutral": " old"},
            "prompt",
            "says another thing than ' old'",
        ),
        ({"beta": 0.0}, "beta", "expected a relevance above 0 and below 1, got 0"),
        ({"beta": 1.0}, "beta", "expected a relevance above 0 and below 1, got 1"),
        ({"beta": -0.5}, "beta", "expected a relevance above 0 and below 1, got -0.5"),
        ({"beta": math.nan}, "beta", "expected a relevance above 0 and below 1, got nan"),
        ({"strengths": [1, 2, 3, 4]}, "strengths", "expected 1 to 3 numbers, got 4"),
        ({"strengths": [1, math.inf]}, "strengths[1]", "expected a finite number, got inf"),
    ],
)
def test_a_wrong_text_is_refused_by_its_field(
    worded_pack: Pack, fields: dict[str, Any], where: str, says: str
) -> None:
    error = refusal(worded_pack, **fields)
    assert error.field == f"{FIELD}.{where}"
    assert says in str(error)


def test_a_pack_that_knows_nothing_of_texts_says_so_and_what_it_lacks(pack: Pack) -> None:
    error = refusal(pack)
    assert (error.field, error.reason) == (FIELD, "NO_TEXT_MODEL")
    assert "'tiny' knows nothing of texts: it has no image-text model" in str(error)


def test_each_pack_has_a_tokenizer_of_its_own(worded_pack: Pack) -> None:
    assert worded_pack.text is not None
    other = texts.tokenizer().replace('"old": 4', '"young": 4').replace('"smiling": 5', '"old": 5')
    changed = dataclasses.replace(worded_pack, text=dataclasses.replace(worded_pack.text, tokenizer=other))
    old = [
        read_text_move(each, v1.TextMove(prompt="old"), MOST, FIELD).prompt.ids[0, 0]
        for each in (worded_pack, changed)
    ]
    assert old == [4, 5]


@pytest.mark.parametrize(
    "made",
    [models.WordLevel({"a": 0, "person": 1}, unk_token="[UNK]"), models.BPE({"a": 0}, [])],
    ids=["it raises", "it gives no token"],
)
def test_words_that_the_tokenizer_does_not_know_are_refused_and_no_internal_error(
    worded_pack: Pack, made: models.Model
) -> None:
    assert worded_pack.text is not None
    model = dataclasses.replace(worded_pack.text, tokenizer=Tokenizer(made).to_str())
    with pytest.raises(InvalidField, match="expected words that the pack's tokenizer knows"):
        read_text(model, "zebu", "text")


def test_words_that_are_read_as_unknown_are_refused_by_name_and_punctuation_is_not(worded_pack: Pack) -> None:
    error = refusal(worded_pack, prompt="a zebu zebu smiling gnu")
    assert (error.field, error.reason) == (f"{FIELD}.prompt", "UNKNOWN_WORDS")
    assert "not 'zebu', 'gnu'" in str(error)
    assert worded_pack.text is not None
    assert read_text(worded_pack.text, "a smiling , person", "text").mask.sum() == 4


def test_a_token_of_the_unknown_that_ends_every_text_is_no_unknown_word(worded_pack: Pack) -> None:
    assert worded_pack.text is not None
    made = Tokenizer(models.WordLevel({"a": 0, "end": 1}, unk_token="end"))
    made.post_processor = processors.TemplateProcessing("$A end", "$A $B end", [("end", 1)])
    model = dataclasses.replace(worded_pack.text, tokenizer=made.to_str())
    assert read_text(model, "a", "text").ids[0, :2].tolist() == [0, 1]
