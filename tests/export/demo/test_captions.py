"""Captions say what they are said to say, and how likely they are of a portrait is known."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

import pytest
import torch

from relatent_export.demo.captions import LEVELS, PROMPTS, Caption, caption, log_ratios, say, vocabulary
from relatent_export.demo.factors import FACTORS, sample_factors


def row(**factors: float) -> list[float]:
    return [factors.get(name, 0.0) for name in FACTORS]


def test_every_factor_can_be_said_from_low_to_high() -> None:
    assert LEVELS.keys() == set(FACTORS)
    for levels in LEVELS.values():
        values = [level.value for level in levels]
        assert values == sorted(values)
        assert all(level.phrases for level in levels)


@pytest.mark.parametrize("name", FACTORS)
def test_a_caption_says_each_level_by_its_own_words_alone(name: str) -> None:
    random = Random(0)
    said = [{say([level], random) for _ in range(300)} for level in LEVELS[name]]
    for place, texts in enumerate(said):
        for other in said[place + 1 :]:
            assert not texts & other
        assert len(texts) > 50
        phrases = LEVELS[name][place].phrases
        assert all(any(phrase in text for phrase in phrases) for text in texts)


def test_captions_name_what_a_portrait_shows_more_often_than_what_it_does_not() -> None:
    random, old = Random(0), row(age=1.0)
    counts = Counter(
        each.named["age"] for each in (caption(old, random) for _ in range(4_000)) if "age" in each.named
    )
    assert counts[1] > 50 * counts[0]
    middle = Counter(
        each.named["age"] for each in (caption(row(), random) for _ in range(8_000)) if "age" in each.named
    )
    assert 0.8 < middle[1] / middle[0] < 1.25


def test_some_captions_are_neutral_and_some_name_several() -> None:
    random = Random(1)
    counts = Counter(len(caption(row(), random).named) for _ in range(1_000))
    assert set(counts) == {0, 1, 2, 3}
    assert counts[1] > counts[2] > counts[3]


def test_articles_fit_their_words() -> None:
    random = Random(2)
    texts = " | ".join(
        caption(each, random).text for each in sample_factors(500, torch.Generator().manual_seed(0)).tolist()
    )
    for wrong in (" a old", " a elderly", " a image", " an person", " an smiling", "  "):
        assert wrong not in f" {texts}"


def test_ratios_are_likelihoods_over_all_portraits() -> None:
    factors = sample_factors(4_000, torch.Generator().manual_seed(3))
    neutral, old, both = (
        Caption("", {}), Caption("", {"age": 1}), Caption("", {"age": 1, "smile": 0})
    )  # fmt: skip
    ratios = log_ratios(factors, [neutral, old, both])
    assert torch.equal(ratios[:, 0], torch.zeros(len(factors)))
    assert ratios[:, 1].exp().mean() == pytest.approx(1, abs=0.05)
    by_hand = 1 / (1 + math.exp(-2 * 1.0 / 0.6**2))
    found = log_ratios(torch.tensor([row(age=1.0)]), [old])
    assert found.item() == pytest.approx(math.log(by_hand / 0.5), abs=1e-3)
    single = log_ratios(factors, [Caption("", {"smile": 0})])
    torch.testing.assert_close(ratios[:, 2], ratios[:, 1] + single[:, 0])


def test_prompts_name_ten_factors_in_words_that_captions_have() -> None:
    assert len({prompt.factor for prompt in PROMPTS}) == len(PROMPTS) == 10
    assert {prompt.sign for prompt in PROMPTS} == {-1, 1}
    words = set(vocabulary())
    for prompt in PROMPTS:
        assert words.issuperset(prompt.text.split())
        assert words.issuperset(prompt.neutral.split())
        place = 1 if prompt.sign > 0 else 0
        assert any(phrase in prompt.text for phrase in LEVELS[prompt.factor][place].phrases)
