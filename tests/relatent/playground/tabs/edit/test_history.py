from __future__ import annotations

import numpy as np

from relatent.client.images import ImageFormat, Picture
from relatent.client.latents import LatentCode
from relatent.playground.tabs.edit.history import MOST_STEPS, ONE_MOVE_SECONDS, History, Step

LATENT = LatentCode(np.zeros((2, 4), np.float32), "tiny", "1" * 64)
PICTURE = Picture(b"", ImageFormat.RAW, 8, 8)


def step(dial: str, at: float = 0.0, label: str = "") -> Step:
    return Step(label or dial, dial, {}, {}, LATENT, PICTURE, at=at)


def begun() -> History:
    return History((step("", label="as inverted"),))


def test_steps_go_back_and_forth_and_end_at_either_end() -> None:
    history = begun().add(step("age", 1)).add(step("yaw", 10))
    assert history.labels == ("as inverted", "1. age", "2. yaw")
    assert not history.can_redo
    assert history.undo().now.dial == "age"
    assert history.undo().redo() == history == history.redo()
    assert history.undo().undo().undo().place == 0
    assert not history.go(0).can_undo
    assert history.go(99).now.dial == "yaw"


def test_a_step_after_an_undo_forgets_what_was_undone() -> None:
    history = begun().add(step("age", 1)).add(step("yaw", 10)).undo().add(step("smile", 20))
    assert [each.dial for each in history.steps] == ["", "age", "smile"]


def test_moves_of_one_dial_that_follow_one_another_are_one_step() -> None:
    history = begun().add(step("age", 1.0, "30")).add(step("age", 1.0 + ONE_MOVE_SECONDS, "40"))
    assert history.labels == ("as inverted", "1. 40")
    later = history.add(step("age", 9.0, "50"))
    assert later.labels == ("as inverted", "1. 40", "2. 50")
    assert len(later.add(step("yaw", 9.1)).steps) == 4


def test_of_too_many_steps_the_oldest_goes_and_never_the_first() -> None:
    history = begun()
    for number in range(MOST_STEPS + 3):
        history = history.add(step(f"dial-{number}", number))
    assert len(history.steps) == MOST_STEPS
    assert history.steps[0].label == "as inverted"
    assert history.now.dial == f"dial-{MOST_STEPS + 2}"
