"""Directions that a text tells: StyleCLIP's global directions in S, and its mappers.

Patashnik et al., "StyleCLIP: Text-Driven Manipulation of StyleGAN Imagery" (2021). Both need a pack with an
image-text pair (`relatent-export text`).
"""

from __future__ import annotations

import hashlib
import re

import numpy as np

from relatent.core.directions import Direction
from relatent_export.directions.finders.finder import FinderInput, FoundDirection
from relatent_export.directions.finders.making import direction_of
from relatent_export.text.encoding import embed_texts
from relatent_export.text.mapper import train_mapper

_LETTERS = 40
"""Of a prompt in a direction's name, at most."""


def find_global(given: FinderInput) -> list[Direction]:
    """One direction of S, `PROMPT_text`; its strengths are those of an edit by the text.

    Raises:
        ValueError: no channel is relevant to the prompt.
    """
    assert given.text is not None
    assert given.networks.image_text is not None
    neutral, prompt = embed_texts(given.networks.image_text, [given.neutral, given.prompt])
    beta = given.text.beta if given.beta is None else given.beta
    change = given.text.change(neutral, prompt, beta)
    length = float(np.linalg.norm(change))
    if length == 0:
        raise ValueError(f"--beta: no channel has a relevance of {beta:g} or more for {given.prompt!r}")
    return [direction_of(given, f"{_slug(given.prompt)}_text", change[None] / length, lengths=[length])]


def find_mapper(given: FinderInput) -> list[FoundDirection]:
    """One learned direction, `PROMPT_mapper`: a strength of 1 is what the mapper was trained for."""
    assert given.networks.image_text is not None
    mapper = train_mapper(
        given.networks,
        given.networks.image_text,
        given.prompt,
        given.neutral,
        given.samples,
        given.seed,
        given.work,
    )
    return [FoundDirection.learned(given, f"{_slug(given.prompt)}_mapper", mapper, reach=2.0)]


def _slug(prompt: str) -> str:
    """A name for a prompt; one that does not tell all of it ends in a few digits that do."""
    words = "_".join(re.findall("[a-z0-9]+", prompt.lower()))
    if words.replace("_", " ") == prompt and len(words) <= _LETTERS and words[0].isalpha():
        return words
    digest = hashlib.sha256(prompt.encode()).hexdigest()[:6]
    return f"{words[:_LETTERS].strip('_0123456789') or 'prompt'}_{digest}"
