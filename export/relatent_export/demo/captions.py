"""Captions of drawings: English for a few of the factors that a portrait was drawn from.

A caption names none, one or several factors, each by a word for about where it lies; what it does not name is
free. So how likely a caption is of a portrait is known in closed form, with which the demo's image-text model
is trained (`relatent_export.demo.train_text`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from relatent_export.demo.factors import FACTORS


@dataclass(frozen=True)
class Grade:
    """About where a factor lies, and how people say it.

    Attributes:
        value: of the factor, in [-1, 1].
        before: adjectives, which stand before the noun.
        having: what a person is said to be "with".
        after: what stands behind the noun.
    """

    value: float
    before: tuple[str, ...] = ()
    having: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def phrases(self) -> tuple[str, ...]:
        """All ways to say it."""
        return (*self.before, *self.having, *self.after)


def _hues(what: str, places: tuple[str, ...]) -> tuple[Grade, ...]:
    """Levels of a hue; {} of a place becomes the colour, with its article."""
    colours = {"orange": -0.93, "yellow": -0.73, "green": -0.33, "cyan": 0.03, "blue": 0.4, "purple": 0.73}
    levels = []
    for colour, value in {**colours, "pink": 0.97}.items():
        thing = f"{_article(colour)} {colour} {what}"
        levels.append(Grade(value, (), (thing,), tuple(place.format(thing) for place in places)))
    return tuple(levels)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


LEVELS: Mapping[str, tuple[Grade, ...]] = {
    "yaw": (
        Grade(-1, after=("looking left", "looking to the left", "turned to the left", "facing left")),
        Grade(1, after=("looking right", "looking to the right", "turned to the right", "facing right")),
    ),
    "pitch": (
        Grade(-1, after=("looking up", "looking upwards", "with the head raised", "facing up")),
        Grade(1, after=("looking down", "looking downwards", "with the head lowered", "facing down")),
    ),
    "smile": (
        Grade(-1, ("sad", "unhappy", "frowning", "gloomy"), ("a frown", "a sad face"), ("who is sad",)),
        Grade(1, ("smiling", "happy", "cheerful", "joyful"), ("a smile", "a happy face"), ("who smiles",)),
    ),
    "mouth_open": (
        Grade(-1, (), ("a closed mouth", "the mouth closed", "closed lips"), ("with the mouth shut",)),
        Grade(1, (), ("an open mouth", "the mouth open", "parted lips"), ("with the mouth wide open",)),
    ),
    "eye_open": (
        Grade(-1, ("sleepy", "squinting"), ("closed eyes", "narrow eyes", "the eyes closed")),
        Grade(1, ("wide-eyed",), ("open eyes", "wide eyes", "the eyes wide open")),
    ),
    "brow": (
        Grade(-1, ("angry", "grim"), ("lowered brows", "lowered eyebrows", "low eyebrows")),
        Grade(1, ("surprised",), ("raised brows", "raised eyebrows", "high eyebrows")),
    ),
    "glasses": (
        Grade(-1, after=("without glasses", "without spectacles", "wearing no glasses")),
        Grade(1, (), ("glasses", "spectacles", "eyeglasses"), ("wearing glasses", "in glasses")),
    ),
    "hair_length": (
        Grade(-1, ("short-haired",), ("short hair", "a short haircut"), ("whose hair is short",)),
        Grade(1, ("long-haired",), ("long hair", "very long hair"), ("whose hair is long",)),
    ),
    "hair_tone": (
        Grade(-1, ("dark-haired", "black-haired"), ("dark hair", "black hair", "brown hair")),
        Grade(1, ("blond", "blonde", "fair-haired"), ("blond hair", "light hair", "fair hair")),
    ),
    "skin": (
        Grade(-1, ("dark-skinned",), ("dark skin", "brown skin", "a dark complexion")),
        Grade(1, ("pale", "light-skinned"), ("pale skin", "light skin", "a fair complexion")),
    ),
    "age": (
        Grade(-1, ("young", "youthful"), ("smooth skin", "no wrinkles"), ("in the twenties",)),
        Grade(1, ("old", "elderly", "aged"), ("wrinkles", "a wrinkled face"), ("of great age",)),
    ),
    "width": (
        Grade(-1, ("thin", "slim"), ("a narrow face", "a thin face", "a slim face")),
        Grade(1, ("chubby", "round-faced"), ("a wide face", "a round face", "a broad face")),
    ),
    "light": (
        Grade(-1, after=("lit from the left", "with light from the left")),
        Grade(1, after=("lit from the right", "with light from the right")),
    ),
    "background_hue": _hues("background", ("in front of {}", "against {}", "before {}", "on {}")),
    "background_value": (
        Grade(-1, (), ("a dark background",), ("in front of a dark background", "in the dark")),
        Grade(1, (), ("a bright background", "a light background"), ("before a bright background",)),
    ),
    "shirt_hue": _hues("shirt", ("in {}", "wearing {}", "who wears {}")),
}
"""By factor, from low to high."""

_SPREAD = 0.6
"""Standard deviation of where a factor lies around the level that it is called by, if there are two."""
_HUE_SPREAD = 0.18
"""Of the hues, of which there are seven."""

_NAMED = (0.1, 0.5, 0.25, 0.15)
"""How often captions name none, one, two and three factors."""
_OPENINGS = (
    *("", "", "", "a photo of ", "a picture of ", "a drawing of ", "an image of "),
    *("a portrait of ", "the face of ", "a photograph of ", "a painting of "),
)
_NOUNS = ("person", "person", "person", "face", "man", "woman", "human", "character", "portrait", "head")
_DEGREES = ("very", "rather", "quite")
_DEGREE_SHARE = 0.1


@dataclass(frozen=True)
class Caption:
    """A text, and what it says.

    Attributes:
        text: English, lower case.
        named: the place in `LEVELS` of what each factor is called, by factor.
    """

    text: str
    named: Mapping[str, int]


@dataclass(frozen=True)
class Prompt:
    """A text that asks for more or less of a factor than a neutral one.

    Attributes:
        text: what is asked for.
        neutral: the same, without it.
        factor: that it moves.
        sign: 1 or -1: which way.
    """

    text: str
    neutral: str
    factor: str
    sign: int


PROMPTS: tuple[Prompt, ...] = (
    Prompt("an old person", "a person", "age", 1),
    Prompt("a smiling person", "a person", "smile", 1),
    Prompt("a person wearing glasses", "a person", "glasses", 1),
    Prompt("a person with long hair", "a person", "hair_length", 1),
    Prompt("a person with blond hair", "a person", "hair_tone", 1),
    Prompt("a person with dark skin", "a person", "skin", -1),
    Prompt("a person with an open mouth", "a person", "mouth_open", 1),
    Prompt("a person with closed eyes", "a person", "eye_open", -1),
    Prompt("a person looking to the left", "a person", "yaw", -1),
    Prompt("a person with raised eyebrows", "a person", "brow", 1),
)
"""What acceptance asks for: ten factors, each way."""


def caption(factors: Sequence[float], random: Random) -> Caption:
    """Describe a portrait, by chance.

    Args:
        factors: the sixteen, in the order of `FACTORS`.
        random: decides which are named, and how.
    """
    count = random.choices(range(len(_NAMED)), _NAMED)[0]
    named = {}
    for place in random.sample(range(len(FACTORS)), count):
        name = FACTORS[place]
        odds = [math.exp(odd) for odd in _log_odds(name, factors[place])]
        named[name] = random.choices(range(len(odds)), odds)[0]
    return Caption(say([LEVELS[name][level] for name, level in named.items()], random), named)


def say(levels: Sequence[Grade], random: Random) -> str:
    """A text that says some levels, and nothing else."""
    before, having, after = list[str](), list[str](), list[str]()
    for level in levels:
        phrase = random.choice(level.phrases)
        if phrase in level.before:
            before.append(f"{random.choice(_DEGREES)} {phrase}" if _rarely(random) else phrase)
        else:
            (having if phrase in level.having else after).append(phrase)
    noun = " ".join([*before, random.choice(_NOUNS)])
    article = random.choice((_article(noun), _article(noun), "the", ""))
    whole = f"{random.choice(_OPENINGS)}{article} {noun}"
    if having:
        whole += f" with {' and '.join(having)}"
    return " ".join([whole, *after]).replace("  ", " ").strip()


def _rarely(random: Random) -> bool:
    return random.random() < _DEGREE_SHARE


def vocabulary() -> tuple[str, ...]:
    """Every word of every caption, sorted."""
    phrases = [phrase for levels in LEVELS.values() for level in levels for phrase in level.phrases]
    texts = (*phrases, *_OPENINGS, *_NOUNS, *_DEGREES, "a an the with and")
    return tuple(sorted({word for text in texts for word in text.replace("-", " - ").split()}))


def log_ratios(factors: Tensor, captions: Sequence[Caption]) -> Tensor:
    """How much likelier each caption is of each portrait than of any.

    Args:
        factors: float32 [B, 16].
        captions: C of them.

    Returns:
        float32 [B, C], log p(caption | portrait) - log p(caption), all factors taken for independent.
    """
    tables = [_log_ratios_of(name, factors[:, place]) for place, name in enumerate(FACTORS)]
    ratios = torch.zeros(len(factors), len(captions))
    for column, each in enumerate(captions):
        for name, level in each.named.items():
            ratios[:, column] += tables[FACTORS.index(name)][:, level]
    return ratios


def _log_ratios_of(name: str, values: Tensor) -> Tensor:
    """The same for each level of one factor, float32 [B, levels]."""
    grid = torch.linspace(-1, 1, 201)
    marginal = _odds(name, grid).softmax(1).mean(0).log()
    return _odds(name, values).log_softmax(1) - marginal


def _odds(name: str, values: Tensor) -> Tensor:
    levels = torch.tensor([level.value for level in LEVELS[name]])
    return -0.5 * ((values[:, None] - levels) / _spread(name)).square()


def _log_odds(name: str, value: float) -> list[float]:
    return [-0.5 * ((value - level.value) / _spread(name)) ** 2 for level in LEVELS[name]]


def _spread(name: str) -> float:
    return _SPREAD if len(LEVELS[name]) == 2 else _HUE_SPREAD
