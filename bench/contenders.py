"""A published projector against the service, at a number of callers: the turns, and what came of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.graphs import Array
from bench.peers import PeerNetworks, PeerRun
from bench.reaching import Contestant, Reached, as_target
from bench.serving import Way, invert_by
from bench.timing import ratios, spread
from relatent import AsyncClient


@dataclass(frozen=True)
class Level:
    """Who asks for what.

    Attributes:
        callers: who take turns over the images; a projector takes as many in a batch.
        images: how many of the drawings, from the first.
    """

    callers: int
    images: int


class Contender:
    """A peer at a level.

    Args:
        level: of callers and images.
        chosen: the settings that count here.
        networks: what the peer runs.
        images: the drawings, uint8 [N, R, R, 3].

    Attributes:
        level, chosen: as they were given.
        ours: seconds an image of the service, one a round.
    """

    def __init__(self, level: Level, chosen: Contestant, networks: PeerNetworks, images: Array) -> None:
        self.level, self.chosen = level, chosen
        self._networks, self._images = networks, images[: level.images]
        self.ours: list[float] = []
        self._beginnings: list[float] = []
        self._steps: list[float] = []

    @property
    def reached(self) -> Reached:
        """How far the chosen settings got with these images."""
        return self.chosen.reached[self.level.images]

    def theirs(self, steps: int) -> list[float]:
        """Seconds an image of so many steps in the peer's loop, one a round."""
        pairs = zip(self._beginnings, self._steps, strict=True)
        return [beginning + steps * step for beginning, step in pairs]

    async def measure(self, client: AsyncClient, way: Way, steps: int) -> None:
        """A turn: ours, the peer with at most so many steps, ours again; ours counts with its mean."""
        before, _ = await invert_by(client, self._images, self.level.callers, way)
        beginning, step = await asyncio.to_thread(self._loop, min(steps, self.reached.steps))
        after, _ = await invert_by(client, self._images, self.level.callers, way)
        self.ours.append((before + after) / 2 / self.level.images)
        self._beginnings.append(beginning)
        self._steps.append(step)

    def warm_up(self) -> None:
        """Do two steps that do not count."""
        self._loop(2)

    def _loop(self, steps: int) -> tuple[float, float]:
        """Seconds an image of the loop's beginning and of one step."""
        beginning = going = 0.0
        for at in range(0, self.level.images, self.level.callers):
            target = as_target(self._images[at : at + self.level.callers])
            started = time.perf_counter()
            run = PeerRun(self._networks, self.chosen.settings, target)
            begun = time.perf_counter()
            run.advance(steps)
            beginning, going = beginning + begun - started, going + time.perf_counter() - begun
        return beginning / self.level.images, going / self.level.images / steps

    def speedups(self, alone: Contender) -> list[float]:
        """The peer's seconds over ours in each round; `alone` is the same peer at one caller."""
        return ratios(self._fastest(alone)[1], self.ours)

    def as_json(self, alone: Contender) -> dict[str, Any]:
        """What won and its seconds, for a report."""
        form, seconds = self._fastest(alone)
        return {
            "won": self.chosen.kind,
            "settings": self.chosen.settings.as_json(),
            **self.reached.as_json(),
            "form": form,
            "seconds_an_image": spread(seconds).as_json(),
            "seconds_a_step_and_image": spread(self._steps).as_json(),
        }

    def _fastest(self, alone: Contender) -> tuple[str, list[float]]:
        """Images in a batch or one after the other, whichever is faster; and the seconds of that."""
        forms = {
            "one after the other": alone.theirs(self.reached.steps),
            "batch": self.theirs(self.reached.steps),
        }
        form = min(forms, key=lambda form: float(np.median(forms[form])))
        return form, forms[form]
