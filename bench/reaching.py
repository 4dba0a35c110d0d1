"""How many steps a projector takes to a perceptual distance, and which of its settings take the fewest.

Distances are looked at every few steps, by the graphs that assess our own; an image counts with the lowest
of all looks so far. What is counted here is not timed, so it may run the networks' own synthesis, whose
images are those of the published form; `bench.quality` times the steps by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.graphs import Array, Graphs
from bench.peers import Peer, PeerNetworks, PeerRun, PeerSettings
from bench.timing import significant
from relatent_export.progress import progress

LOOK_EVERY = 10
"""Steps between looks."""
KEPT = 2
"""How many of the swept settings, the best on the images of the sweep, count on those that are measured."""


@dataclass(frozen=True)
class Reached:
    """How far settings got with some images.

    Attributes:
        steps: to the goal; all that there are where it was not reached.
        censored: it was not reached.
        perceptual: mean distance after those steps.
    """

    steps: int
    censored: bool
    perceptual: float

    @property
    def order(self) -> tuple[bool, int, float]:
        """Better ones come first; of those that did not get there, the nearest."""
        return self.censored, 0 if self.censored else self.steps, self.perceptual

    def as_json(self) -> dict[str, Any]:
        """The same, for a report."""
        return {
            "steps": self.steps,
            "censored": self.censored,
            "perceptual": significant(self.perceptual),
        }


@dataclass(frozen=True)
class Curve:
    """What was seen of some images on their way.

    Attributes:
        steps: done before each look, K of them.
        distances: of each image, the lowest of the looks so far, [K, N].
    """

    steps: tuple[int, ...]
    distances: Array

    def reached(self, goal: float, images: int) -> Reached:
        """How many steps it took until the first so many images were within a goal, on average."""
        means = self.distances[:, :images].mean(1)
        within = np.flatnonzero(means <= goal)
        at = int(within[0]) if len(within) else -1
        return Reached(self.steps[at], not len(within), float(means[at]))


@dataclass(frozen=True)
class Contestant:
    """Settings of a peer, and how far they got.

    Attributes:
        kind: `published` or `swept`.
        settings: the numbers.
        reached: by how many of the first images it was that were to be near.
    """

    kind: str
    settings: PeerSettings
    reached: Mapping[int, Reached]


def as_target(images: Array) -> Tensor:
    """Images uint8 [N, R, R, 3] to float32 [N, 3, R, R] in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1


def follow(graphs: Graphs, run: PeerRun, images: Array, goals: Mapping[int, float], most: int) -> Curve:
    """Go on until all goals are reached, or to `most` steps.

    Args:
        graphs: to assess with.
        run: at its beginning.
        images: uint8 [N, R, R, 3], what it is to match.
        goals: mean distances, by how many of the first images they are of.
        most: steps.
    """
    steps: list[int] = []
    lowest = np.full(len(images), np.inf)
    rows: list[Array] = []
    while run.steps < most:
        run.advance(min(LOOK_EVERY, most - run.steps))
        lowest = np.minimum(lowest, graphs.assess(run.codes, images)["perceptual"])
        steps.append(run.steps)
        rows.append(lowest)
        if all(lowest[:count].mean() <= goal for count, goal in goals.items()):
            break
    return Curve(tuple(steps), np.stack(rows))


class Contest:
    """Peers' settings on given images.

    Args:
        graphs: to assess with.
        networks: what the peers run.
        cap: of steps, whatever the settings say; None for none.
    """

    def __init__(self, graphs: Graphs, networks: PeerNetworks, cap: int | None = None) -> None:
        self._graphs, self._networks, self._cap = graphs, networks, cap

    def sweep(self, peer: Peer, images: Array, goal: float) -> list[PeerSettings]:
        """The best of a peer's swept settings, best first.

        Settings are given up where as many as are kept took fewer steps.
        """
        found: list[tuple[Reached, PeerSettings]] = []
        most = peer.sweep_steps
        for settings in progress(peer.swept, f"sweep, {peer.name}", leave=False):
            reached = self._reached(settings, images, {len(images): goal}, most)[len(images)]
            found = sorted([*found, (reached, settings)], key=lambda pair: pair[0].order)
            if len(found) >= KEPT and not found[KEPT - 1][0].censored:
                most = found[KEPT - 1][0].steps
        return [settings for _, settings in found[:KEPT]]

    def contestants(
        self, peer: Peer, kept: Sequence[PeerSettings], images: Array, goals: Mapping[int, float]
    ) -> list[Contestant]:
        """How far the published settings, then those that were kept, get with the images."""
        kinds = [("published", peer.published), *(("swept", settings) for settings in kept)]
        return [
            Contestant(kind, settings, self._reached(settings, images, goals, settings.most))
            for kind, settings in progress(kinds, f"counting, {peer.name}", leave=False)
        ]

    def _reached(
        self, settings: PeerSettings, images: Array, goals: Mapping[int, float], most: int
    ) -> dict[int, Reached]:
        most = min(settings.most, most, most if self._cap is None else self._cap)
        run = PeerRun(self._networks, settings, as_target(images))
        curve = follow(self._graphs, run, images, goals, most)
        return {count: curve.reached(goal, count) for count, goal in goals.items()}


def winner(contestants: Sequence[Contestant], images: int) -> Contestant:
    """The one with the fewest steps to the goal; where none gets there, the published one's bound stands."""
    there = [one for one in contestants if not one.reached[images].censored]
    return min(there or contestants[:1], key=lambda one: one.reached[images].order)
