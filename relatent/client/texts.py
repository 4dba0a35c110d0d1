"""Edits by texts, and messages made of them; and what texts a message can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relatent.client.errors import InputError
from relatent.client.goals import several
from relatent.v1 import editing_pb2


@dataclass(frozen=True)
class Text:
    """Move the styles of the code towards what a text says; makes a code of S of one of W, W+ or S.

    Attributes:
        prompt: what the image shall show.
        neutral: what it shows now, told alike; the pack's `PackInfo.text.neutral` if empty.
        strength: how far, or several for a strip of images: 1 moves the most relevant channel by one
            deviation of its own over samples; the pack's `PackInfo.text.strength` if None.
        beta: the least relevance of a channel that counts, above 0 and below 1: the higher, the fewer things
            change; the pack's `PackInfo.text.beta` if None.
    """

    prompt: str
    neutral: str = ""
    strength: float | Sequence[float] | None = None
    beta: float | None = None


def text_message(text: Text) -> editing_pb2.TextMove:
    """Make a message of a text."""
    return editing_pb2.TextMove(
        prompt=text.prompt,
        neutral=text.neutral,
        strengths=[] if text.strength is None else several(text.strength),
        beta=text.beta,
    )


def text_field(text: str, what: str) -> str:
    """Text that a message can hold.

    Raises:
        InputError: it has bytes of a file's name that are none.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{what}: expected text in UTF-8, got {text!r}") from None
    return text
