"""How well the demo's image-text model tells drawings by texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch import Tensor

from relatent_export.demo.captions import LEVELS, PROMPTS, say
from relatent_export.demo.factors import FACTORS
from relatent_export.demo.world import RESOLUTION, Drawings, draw
from relatent_export.nets.image_text import ImageText
from relatent_export.nets.pixels import to_float
from relatent_export.text.encoding import ImageEmbedding, embed_texts

_COUNT, _CANDIDATES, _NAMED, _CHUNK = 1_000, 10, 3, 100


@dataclass(frozen=True)
class TextFigures:
    """Of drawings that no network was trained on and nothing is reported on.

    Attributes:
        correlations: by prompt, of its score against its neutral text's with its factor, times its sign.
        leaks: by prompt, the largest correlation of its score with another factor, as a size.
        retrieved: share of drawings that a text of three of their factors is more like than all other
            candidates.
        candidates: how many drawings a caption is to be told from, its own among them.
    """

    correlations: Mapping[str, float]
    leaks: Mapping[str, float]
    retrieved: float
    candidates: int


@torch.no_grad()
def measure_text(model: ImageText, count: int = _COUNT) -> TextFigures:
    """Measure a model on the first drawings of those that choices are made on."""
    drawings, factors = draw(Drawings.SWEEP, count)
    embedding, images = ImageEmbedding(model, RESOLUTION).eval(), drawings.permute(0, 2, 3, 1)
    embedded = torch.cat([embedding(to_float(each)) for each in torch.split(images, _CHUNK)])
    texts, neutral = ([getattr(each, what) for each in PROMPTS] for what in ("text", "neutral"))
    directions = torch.from_numpy(embed_texts(model, texts) - embed_texts(model, neutral))
    table = torch.corrcoef(torch.cat([(embedded @ directions.t()).t(), factors.t()]))
    table = table[: len(PROMPTS), len(PROMPTS) :]
    correlations, leaks = {}, {}
    for prompt, row in zip(PROMPTS, table, strict=True):
        place = FACTORS.index(prompt.factor)
        correlations[prompt.text] = prompt.sign * float(row[place])
        leaks[prompt.text] = float(row[[i for i in range(len(FACTORS)) if i != place]].abs().max())
    return TextFigures(correlations, leaks, _retrieved(model, embedded, factors), _CANDIDATES)


def _retrieved(model: ImageText, embedded: Tensor, factors: Tensor) -> float:
    """Share of the drawings that their own text finds among its candidates."""
    random = Random(0)
    texts = [_text_of(row, random) for row in factors.tolist()]
    similar = torch.from_numpy(embed_texts(model, texts)) @ embedded.t()
    hits = 0
    for start in range(0, len(texts), _CANDIDATES):
        block = similar[start : start + _CANDIDATES, start : start + _CANDIDATES]
        hits += int((block.argmax(1) == torch.arange(len(block))).sum())
    return hits / len(texts)


def _text_of(factors: Sequence[float], random: Random) -> str:
    """A text that says the three factors of a drawing that are the farthest from the middle."""
    order = sorted(range(len(FACTORS)), key=lambda place: -abs(factors[place]))
    levels = []
    for place in order[:_NAMED]:
        value, known = factors[place], LEVELS[FACTORS[place]]
        levels.append(known[int(np.abs([level.value - value for level in known]).argmin())])
    return say(levels, random)
