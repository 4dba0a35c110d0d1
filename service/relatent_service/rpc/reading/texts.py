"""Texts, checked and cut into tokens."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from tokenizers import Encoding, Tokenizer

from relatent.core.pack import Pack
from relatent.core.text import TextModel, TextMove, Tokens
from relatent.v1 import editing_pb2
from relatent_service.errors import InvalidField
from relatent_service.rpc.reading.moves import read_numbers

_LONGEST = 1_000
"""Letters of a text: more than the longest one with as few tokens as models take."""


def read_text_move(pack: Pack, move: editing_pb2.TextMove, max_images: int, field: str) -> TextMove:
    """A move towards what a text says.

    Raises:
        InvalidField: a field is not what it must be, or the pack knows nothing of texts.
    """
    model = text_model(pack, field)
    beta = move.beta if move.HasField("beta") else model.beta
    if not 0 < beta < 1:
        raise InvalidField(f"{field}.beta", f"expected a relevance above 0 and below 1, got {beta:g}")
    strengths = tuple(move.strengths) or (model.strength,)
    neutral, prompt = read_change(model, move.neutral, move.prompt, f"{field}.neutral", f"{field}.prompt")
    return TextMove(neutral, prompt, read_numbers(strengths, max_images, f"{field}.strengths"), beta)


def text_model(pack: Pack, field: str) -> TextModel:
    """What a pack knows of texts.

    Raises:
        InvalidField: nothing.
    """
    if pack.text is None:
        raise InvalidField(
            field,
            f"pack {pack.name!r} knows nothing of texts: it has no image-text model (relatent-export text)",
            reason="NO_TEXT_MODEL",
        )
    return pack.text


def read_change(
    model: TextModel, neutral: str, prompt: str, neutral_field: str, prompt_field: str
) -> tuple[Tokens, Tokens]:
    """What an image shows, the model's own where nothing is said of it, and what it shall show.

    Raises:
        InvalidField: one of them is empty or too long, or they are the same.
    """
    shown = neutral or model.neutral
    read = read_text(model, shown, neutral_field), read_text(model, prompt, prompt_field)
    if np.array_equal(read[0].ids, read[1].ids):
        raise InvalidField(prompt_field, f"expected a text that says another thing than {shown!r}")
    return read


def read_text(model: TextModel, text: str, field: str) -> Tokens:
    """A text as a model takes it.

    Raises:
        InvalidField: it is empty, or longer than the model takes.
    """
    if not text.strip():
        raise InvalidField(field, "expected a text, got none")
    if len(text) > _LONGEST:
        raise InvalidField(field, f"expected {_LONGEST} letters at most, got {len(text)}")
    tokenizer = _tokenizer(model.tokenizer)
    try:
        encoding = tokenizer.encode(text)
    except Exception as error:  # the library's own, of no other kind, where it has no token for a word
        raise InvalidField(field, "expected words that the pack's tokenizer knows") from error
    # The network would move images by them all the same, though they mean nothing to it.
    if unknown := _unknown_words(tokenizer, encoding, text):
        raise InvalidField(
            field,
            f"expected words that the pack's tokenizer knows, not {', '.join(map(repr, unknown))}",
            reason="UNKNOWN_WORDS",
        )
    ids = encoding.ids
    if not ids:
        raise InvalidField(field, "expected words that the pack's tokenizer knows, got none")
    if len(ids) > model.context:
        raise InvalidField(field, f"expected {model.context} tokens at most, got {len(ids)}")
    filled = [*ids, *[model.pad] * (model.context - len(ids))]
    mask = np.arange(model.context) < len(ids)
    return Tokens(np.array([filled], np.int64), mask[None].astype(np.int64))


def _unknown_words(tokenizer: Tokenizer, encoding: Encoding, text: str) -> list[str]:
    """What of a text a tokenizer reads as its token for all that it does not know; punctuation aside."""
    # Some models' token for the unknown is also that of a text's end, which is then added to every text.
    unknown = getattr(tokenizer.model, "unk_token", None)
    tokens = zip(encoding.tokens, encoding.special_tokens_mask, encoding.offsets, strict=True)
    words = [text[first:last] for token, added, (first, last) in tokens if token == unknown and not added]
    return [word for word in dict.fromkeys(words) if any(map(str.isalnum, word))]


@lru_cache(maxsize=16)
def _tokenizer(document: str) -> Tokenizer:
    """A pack's tokenizer; texts are filled up, and found to be too long, by ourselves."""
    tokenizer = Tokenizer.from_str(document)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
