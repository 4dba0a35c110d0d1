"""Seconds until a perceptual distance: what a turn counts, and what the whole measurement says."""

import asyncio
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from bench import contenders, quality
from bench.contenders import Contender, Level
from bench.graphs import Array
from bench.measurement import BenchSettings
from bench.peers import PeerNetworks, PeerSettings
from bench.reaching import Contestant, Reached
from bench.serving import Way
from relatent import AsyncClient
from relatent.core.methods import StartRule

ROOT = Path(__file__).parents[2]
SETTINGS = PeerSettings(StartRule.MEAN, 0.1, {"pixel": 1.0}, 1000, 1000)


class TimedContender(Contender):
    """Whose loop takes given seconds an image for its beginning and for a step."""

    def __init__(self, level: Level, reached: Reached, beginning: float, step: float) -> None:
        chosen = Contestant("published", SETTINGS, {level.images: reached})
        images = np.zeros((8, 4, 4, 3), np.uint8)
        super().__init__(level, chosen, cast(PeerNetworks, None), images)
        self.taken = beginning, step
        self.done: list[int] = []

    def _loop(self, steps: int) -> tuple[float, float]:
        self.done.append(steps)
        return self.taken


def turns(contender: Contender, count: int) -> None:
    for _ in range(count):
        asyncio.run(contender.measure(cast(AsyncClient, None), Way("hybrid", 30), steps=100))


@pytest.fixture
def served_seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the service takes for all images, call after call, from the end."""
    left: list[float] = []

    async def invert(client: object, images: Array, callers: int, way: Way) -> tuple[float, list[float]]:
        return left.pop(), []

    monkeypatch.setattr(contenders, "invert_by", invert)
    return left


def test_a_turn_counts_every_step_that_is_needed_and_ours_before_and_after(
    served_seconds: list[float],
) -> None:
    one = TimedContender(Level(1, 4), Reached(400, False, 0.1), beginning=0.5, step=0.01)
    served_seconds[:] = [8.0, 4.0, 2.0, 2.0]  # the last round first
    turns(one, 2)
    assert one.done == [100, 100]
    assert one.ours == [0.5, 1.5]
    assert one.theirs(400) == [4.5, 4.5]
    assert one.speedups(one) == [9.0, 3.0]
    assert one.as_json(one)["form"] == "one after the other"


@pytest.mark.parametrize(("step", "form", "speedup"), [(0.02, "one after the other", 6), (0.005, "batch", 3)])
def test_at_eight_callers_the_faster_form_of_the_loop_counts(
    served_seconds: list[float], step: float, form: str, speedup: float
) -> None:
    served_seconds[:] = [8.0] * 4
    one = TimedContender(Level(1, 4), Reached(50, False, 0.1), beginning=0.0, step=0.01)
    eight = TimedContender(Level(8, 8), Reached(600, True, 0.1), beginning=0.0, step=step)
    turns(one, 1)
    turns(eight, 1)
    assert (one.done, eight.done) == ([50], [100])
    report = eight.as_json(one)
    assert report["form"] == form
    assert report["censored"] is True
    assert eight.speedups(one) == pytest.approx([speedup])


def test_the_whole_measurement_compares_both_peers_at_both_numbers_of_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With fewer steps for the goal, and fewer still for ours, which needs not be what sets the goal."""
    monkeypatch.setattr(quality, "GOAL", Way("hybrid", 6))
    settings = BenchSettings(ROOT / "packs", ROOT / "model_repository", engine="local", quick=True)
    report = quality.run(settings, Way("hybrid", 2))
    assert (report["ours"]["steps"], report["goal_of"]["steps"]) == (2, 6)
    for peer in ("idinvert_style", "image2stylegan_style"):
        for at in ("one", "eight"):
            speedup, won = report[f"speedup_over_{peer}"][at], report[peer][at]
            assert speedup["low"] <= speedup["median"] <= speedup["high"]
            assert speedup["censored"] is won["censored"] is True, "four steps are not enough"
            assert won["perceptual"] > report["goal"][at]
            assert report["ours"]["perceptual"][at] > report["goal"][at]
            assert won["steps"] == 4
            assert won["seconds_an_image"]["median"] > 4 * won["seconds_a_step_and_image"]["median"] * 0.9
        tried = report[peer]["tried"]
        assert [one["kind"] for one in tried] == ["published", "swept"]
    assert report["image2stylegan_style"]["tried"][0]["settings"]["schedule"] == 1000
