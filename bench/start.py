"""How many steps an encoder's start is worth.

The bar is the quality that the hybrid (the encoder's code, then 30 steps) reaches: its mean
perceptual distance over held-out drawings. Optimising from the mean latent goes on until it is as
good, at most 1,000 steps. Each side uses its own learning rate from the pack's manifest, chosen
there by a sweep on other drawings, and each side's result is its best code so far.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

from bench.graphs import Array, Graphs, Refinement
from bench.settings import Settings
from bench.targets import targets
from bench.timing import significant
from relatent.pack import read_pack

HYBRID_STEPS = 30
MOST_STEPS = 1000
BATCH = 8


def run(settings: Settings) -> dict[str, Any]:
    """Measure.

    Returns:
        `step_ratio`, with `censored` true where the mean's side did not get there in 1,000 steps
        and the ratio is therefore a lower bound; the two curves' figures.
    """
    images, most = (4, 60) if settings.quick else (32, MOST_STEPS)
    pack = read_pack(settings.packs / settings.pack)
    graphs = Graphs(pack, settings.repository)
    drawings = targets(graphs, images)

    hybrid = _Side(graphs, drawings, graphs.encode(drawings), pack.refinement.learning_rate["encoder"])
    encoder_only = hybrid.distance()
    hybrid.advance(HYBRID_STEPS)
    bar = hybrid.distance()

    mean = _Side(
        graphs, drawings, np.repeat(pack.mean[None], images, axis=0), pack.refinement.learning_rate["mean"]
    )
    reached = _steps_until(mean, bar, most, pack.refinement.max_steps)
    steps = most if reached is None else reached
    return {
        "step_ratio": significant(steps / HYBRID_STEPS),
        "censored": reached is None,
        "mean_steps": steps,
        "hybrid_steps": HYBRID_STEPS,
        "perceptual": {
            "encoder": significant(encoder_only),
            "hybrid_30": significant(bar),
            f"mean_{steps}": significant(mean.distance()),
        },
        "learning_rate": dict(pack.refinement.learning_rate),
        "images": images,
    }


class _Side:
    """All images from one kind of start, in batches."""

    def __init__(self, graphs: Graphs, drawings: Array, codes: Array, learning_rate: float) -> None:
        self._graphs = graphs
        self._references = _batches(drawings)
        starts = zip(self._references, _batches(codes), strict=True)
        self._refinements = [Refinement(graphs, images, start, learning_rate) for images, start in starts]

    def advance(self, steps: int) -> None:
        for refinement in self._refinements:
            refinement.advance(steps)

    def states(self) -> list[dict[str, Array]]:
        """Where each batch is, to go back to."""
        return [refinement.state for refinement in self._refinements]

    def go_back(self, states: list[dict[str, Array]]) -> None:
        for refinement, state in zip(self._refinements, states, strict=True):
            refinement.state = state

    def distance(self) -> float:
        """Mean perceptual distance of the best codes so far."""
        images = [self._graphs.synthesize(refinement.best) for refinement in self._refinements]
        pairs = zip(images, self._references, strict=True)
        return float(np.concatenate([self._graphs.perceptual(*pair) for pair in pairs]).mean())


def _batches(rows: Array) -> list[Array]:
    return [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]


def _steps_until(side: _Side, bar: float, most: int, chunk: int) -> int | None:
    """Steps after which the side is at most `bar` away; None where that takes over `most`.

    Looks after every chunk, then step by step in the one in which the bar was reached.
    """
    done: int
    for done in tqdm(range(0, most, chunk), "optimising from the mean", leave=False):
        before = side.states()
        side.advance(chunk)
        if side.distance() <= bar:
            side.go_back(before)
            return done + _steps_within(side, bar)
    return None


def _steps_within(side: _Side, bar: float) -> int:
    steps = 0
    while side.distance() > bar:
        side.advance(1)
        steps += 1
    return steps
