"""How steps to a distance are counted, and which settings count."""

from typing import Any, cast

import numpy as np
import pytest

from bench import reaching
from bench.graphs import Array, Graphs
from bench.peers import Peer, PeerNetworks, PeerRun, PeerSettings
from bench.reaching import Contest, Contestant, Curve, Reached, follow, winner
from relatent.core.methods import StartRule


def settings(rate: float) -> PeerSettings:
    return PeerSettings(StartRule.MEAN, rate, {"pixel": 1.0}, schedule=100, most=100)


class Falling:
    """A run whose distance to every image is a hundred less its steps, but for a bump, and its graphs."""

    def __init__(self) -> None:
        self.steps = 0

    @property
    def codes(self) -> int:
        return self.steps

    def advance(self, steps: int) -> None:
        self.steps += steps

    def assess(self, codes: int, images: Array) -> dict[str, Array]:
        distance = 95.0 if codes == 40 else 100.0 - codes
        return {"perceptual": distance + np.arange(len(images))}


def followed(goals: dict[int, float], most: int) -> Curve:
    both = Falling()
    return follow(cast(Graphs, both), cast(PeerRun, both), np.zeros(3), goals, most)


def test_looking_ends_when_all_goals_are_reached_and_counts_the_lowest_look_so_far() -> None:
    curve = followed({1: 80.0, 3: 60.0}, 100)
    assert curve.steps == (10, 20, 30, 40, 50)
    assert curve.distances[:, 0].tolist() == [90, 80, 70, 70, 50]
    assert curve.reached(80.0, 1) == Reached(20, False, 80.0)
    assert curve.reached(60.0, 3) == Reached(50, False, 51.0)


def test_what_is_not_reached_is_censored_after_all_steps() -> None:
    curve = followed({2: 10.0}, 25)
    assert curve.steps == (10, 20, 25)
    assert curve.reached(10.0, 2) == Reached(25, True, 75.5)


def test_the_sweep_keeps_the_settings_with_the_fewest_steps_and_gives_up_the_others_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needed = {0.1: 80, 0.2: 40, 0.3: 500, 0.4: 60, 0.5: 70}
    allowed = []

    def run_of(networks: object, settings: PeerSettings, target: object) -> Any:
        return settings

    def seen(graphs: object, run: Any, images: Array, goals: object, most: int) -> Curve:
        allowed.append(most)
        steps = min(most, needed[run.rate])
        return Curve((steps,), np.full((1, len(images)), needed[run.rate] - steps))

    monkeypatch.setattr(reaching, "PeerRun", run_of)
    monkeypatch.setattr(reaching, "follow", seen)
    contest = Contest(cast(Graphs, None), cast(PeerNetworks, None))
    peer = Peer("peer", settings(0.0), [settings(rate) for rate in needed], sweep_steps=90)
    kept = contest.sweep(peer, np.zeros((2, 4, 4, 3), np.uint8), 0.0)
    assert [one.rate for one in kept] == [0.2, 0.4]
    assert allowed == [90, 90, 80, 80, 60]


def contestant(kind: str, steps: int, censored: bool, perceptual: float = 1.0) -> Contestant:
    return Contestant(kind, settings(0.1), {4: Reached(steps, censored, perceptual)})


def test_the_fewest_steps_win_and_where_none_gets_there_the_published_bound_stands() -> None:
    published, slow, fast = (
        contestant("published", 1000, True),
        contestant("swept", 500, False),
        contestant("swept", 300, False),
    )
    assert winner([published, slow, fast], 4) is fast
    short = contestant("swept", 500, True, perceptual=0.1)
    assert winner([published, short], 4) is published


def test_of_those_that_do_not_get_there_the_nearest_comes_first() -> None:
    reached = [Reached(500, True, 0.2), Reached(900, False, 0.1), Reached(1000, True, 0.1)]
    assert sorted(reached, key=lambda one: one.order) == [reached[1], reached[2], reached[0]]
