"""Text that moves pictures: what a pack knows of an image-text model, and where a text takes styles.

A model of CLIP's kind (Radford et al., "Learning Transferable Visual Models From Natural Language
Supervision", 2021) has vectors of unit length for images and for texts, near each other where they mean the
same. StyleCLIP's global directions (Patashnik et al., "StyleCLIP: Text-Driven Manipulation of StyleGAN
Imagery", 2021): with R the change of the image's vector by each style channel, one row of unit length a
channel, and t the unit vector from what a neutral text means to what the prompt means,

    relevance = R t        of each channel, -1 to 1
    change = deviation * relevance / max |relevance|   where |relevance| >= beta, else 0

so that a strength of 1 moves the most relevant channel by one deviation of its own over samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.methods import finite

TOKENIZER = "tokenizer.json"
"""The file of a pack that says how texts are cut into tokens, as the `tokenizers` library has it."""
TEXT = "text.safetensors"
"""The file that holds `relevance`, float32 [S, E], and `deviation`, float32 [S]."""
RELEVANCE, DEVIATION = "relevance", "deviation"

AIM = 2.0
"""How far refinement towards a text aims, in lengths of the way from what the neutral text means to what the
prompt means: the image's vector, moved by so much of it, is where the new image's shall be."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Tokens:
    """A text as a model takes it.

    Attributes:
        ids: int64 [1, T], padded.
        mask: int64 [1, T], 1 where there is a token and 0 where there is none.
    """

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TextModel:
    """What a pack knows of texts.

    Attributes:
        tokenizer: the contents of `TOKENIZER`.
        context: T, tokens of a text at most.
        pad: the token that fills up shorter ones.
        width: E, numbers of a vector.
        neutral: what the pack's images show in general, such as "a person".
        beta: the least relevance of a channel that counts unless told otherwise, above 0.
        strength: how far to go unless told otherwise.
        relevance: float32 [S, E], each row of unit length or zero.
        deviation: float32 [S].
    """

    tokenizer: str
    context: int
    pad: int
    width: int
    neutral: str
    beta: float
    strength: float
    relevance: Floats
    deviation: Floats

    def change(self, neutral: Floats, prompt: Floats, beta: float) -> Floats:
        """Where a text takes styles, float32 [S]; zero if no channel is as relevant as `beta`.

        Args:
            neutral: what it means, float32 [E], of unit length.
            prompt: likewise.
            beta: least relevance.
        """
        way = prompt.astype(np.float64) - neutral
        length = np.linalg.norm(way)
        unit = np.asarray(way / length if length > 0 else way, np.float32)
        relevance = self.relevance @ unit
        kept = np.where(np.abs(relevance) >= beta, relevance, 0)
        return np.asarray(self.deviation * kept / max(float(np.abs(relevance).max()), 1e-12), np.float32)


@dataclass(frozen=True)
class TextMove:
    """Move codes' styles towards what a text says.

    Attributes:
        neutral, prompt: what the image shows, and what it shall show.
        strengths: how far, one for each code; or several for one code, which make a strip.
        beta: the least relevance of a channel that counts.
    """

    neutral: Tokens
    prompt: Tokens
    strengths: tuple[float, ...]
    beta: float

    @property
    def strip(self) -> tuple[float, ...]:
        """The numbers that may be several."""
        return self.strengths


def read_text_model(table: Mapping[str, Any], tokenizer: str, tensors: Mapping[str, Floats]) -> TextModel:
    """Read what a pack knows of texts off its manifest's table and its files.

    Args:
        table: of the manifest.
        tokenizer: the contents of `TOKENIZER`.
        tensors: those of `TEXT`, of the right shapes.

    Raises:
        ValueError, KeyError, TypeError: a field is missing or not what it must be.
    """
    context, width, pad = (int(table[name]) for name in ("context", "width", "pad"))
    beta, strength = (finite(f"text.{name}", table[name]) for name in ("beta", "strength"))
    if min(context, width) < 1 or pad < 0 or not 0 < beta < 1 or not strength > 0:
        raise ValueError(
            "text: expected context and width of 1 or more, pad of 0 or more, beta between 0 and 1 and a "
            "strength above 0"
        )
    known = (tokenizer, context, pad, width, str(table["neutral"]), beta, strength)
    return TextModel(*known, relevance=tensors[RELEVANCE], deviation=tensors[DEVIATION])


def text_table(model: TextModel) -> dict[str, Any]:
    """The table of a manifest."""
    names = ("context", "pad", "width", "neutral", "beta", "strength")
    return {name: getattr(model, name) for name in names}
