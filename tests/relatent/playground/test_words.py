from __future__ import annotations

import pytest

from relatent.client.catalog import AttributeInfo
from relatent.client.results import AttributeOutcome, InDomain, TargetOutcome
from relatent.core.quality import Quality
from relatent.core.targets import AttributePart, End
from relatent.playground import words

DESCRIBED = {
    "age": AttributeInfo("age", "years", 20, 80),
    "yaw": AttributeInfo("yaw", "deg", -30, 30),
    "glasses": AttributeInfo("glasses", "", 0, 1),
}


def outcome(end: End = End.REACHED, **attributes: AttributeOutcome) -> list[TargetOutcome]:
    return [TargetOutcome(attributes, 3, end)]


def asked(to: float, reached: float) -> AttributeOutcome:
    return AttributeOutcome(AttributePart.ASKED, 0, to, reached)


@pytest.mark.parametrize(
    ("psnr", "said"),
    [(47.6, "Hardly to be told"), (38, "Very close"), (32, "small details"), (12, "Not much like")],
)
def test_how_like_a_picture_is_in_words(psnr: float, said: str) -> None:
    assert said in words.closeness(Quality(0.001, psnr, 0.9, None))


def test_figures_stand_beside_words_as_far_as_the_pack_measures_them() -> None:
    assert words.figures(Quality(0.001, 30.04, 0.9, None)) == "PSNR 30.0 dB"
    assert words.figures(Quality(0.001, 30, 0.9, 0.0123, 0.5)) == (
        "PSNR 30.0 dB, perceptual distance 0.0123, identity 0.50"
    )


@pytest.mark.parametrize(
    ("score", "said"), [(0.9, "typical"), (0.06, "somewhat unusual"), (0.0, "nothing like")]
)
def test_how_well_the_model_knows_a_picture_in_words(score: float, said: str) -> None:
    assert said in words.plausibility(InDomain(score, 0.1, 0.05, None))


def test_goals_that_were_met_are_one_sentence_in_their_units() -> None:
    told = words.reached(outcome(age=asked(70, 69.6), yaw=asked(10, 10.2)), DESCRIBED)
    assert told == "Reads age 70 years, yaw 10.2°, as asked."


def test_a_goal_that_was_missed_says_how_far_it_came_and_why() -> None:
    told = words.reached(outcome(End.RANGE, glasses=asked(1.4, 1.02)), DESCRIBED)
    assert told == "Glasses reached 1.02 of 1.40: the range ends there."
    told = words.reached(outcome(End.STALLED, glasses=asked(0.9, 0.71), age=asked(70, 70)), DESCRIBED)
    assert told == "Reads age 70 years. Glasses reached 0.71 of 0.90: this picture goes no further."


def test_what_moved_although_it_was_held_is_told() -> None:
    held = AttributeOutcome(AttributePart.HELD, 13.5, 13.5, 11.9)
    told = words.reached(outcome(End.STALLED, age=asked(70, 70), yaw=held), DESCRIBED)
    assert told == "Reads age 70 years, as asked. Yaw moved from 13.5° to 11.9°, although held."


def test_of_many_that_moved_although_held_those_that_moved_most_are_named() -> None:
    described = {name: AttributeInfo(name, "", 0, 1) for name in "abcde"}
    slipped = {
        name: AttributeOutcome(AttributePart.HELD, 0.5, 0.5, 0.5 + 0.05 * number)
        for number, name in enumerate("abcde", 1)
    }
    told = words.reached(outcome(End.STALLED, **slipped), described)
    assert told == (
        "E moved from 0.50 to 0.75, d moved from 0.50 to 0.70, c moved from 0.50 to 0.65, and 2 more, "
        "although held."
    )


def test_what_was_left_free_is_not_talked_about() -> None:
    free = AttributeOutcome(AttributePart.FREE, 0.1, 0.1, 0.6)
    assert (
        words.reached(outcome(age=asked(70, 70), glasses=free), DESCRIBED) == "Reads age 70 years, as asked."
    )
