"""The report's figures about inversion, measured with the exported graphs on held-out drawings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TypedDict

import numpy as np

from relatent_export.analysis.refining import Bytes, ExportedPack, Floats
from relatent_export.demo.starts import MeanQuality, RefinedSet
from relatent_export.demo.world import Drawings, draw
from relatent_export.progress import progress

HELD_OUT = 64
"""Drawings that are inverted."""

COMPARED_STEPS, MOST_STEPS = 30, 1_000
"""Steps of the hybrid whose quality is the goal, and those that the rival has to get there."""

_SWEEP = 16
_HYBRID_STEPS = 100
_ENCODER_RATES = (0.0003, 0.0005, 0.0006, 0.0007, 0.0008, 0.001, 0.0015)
_MEAN_RATES = (0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.007, 0.01)


@dataclass(frozen=True)
class LearningRates:
    """Adam's step sizes, chosen on drawings that nothing else is measured on.

    Attributes:
        encoder: from the encoder's code, the lowest mean perceptual distance after 30 steps.
        mean: from the mean latent, the fewest steps to what `encoder` has after 30: the choice that
            favours the rival most.
    """

    encoder: float
    mean: float


@dataclass(frozen=True)
class _Point:
    """Where a set is after some steps: how good its codes are, and at what cost.

    Attributes:
        moved: root mean square distance of the codes from their start.
    """

    quality: MeanQuality
    moved: float

    @classmethod
    def of(cls, refined: RefinedSet) -> _Point:
        """Measure it."""
        return cls(refined.quality(), moved(refined.codes, refined.starts))


class StepRatio(TypedDict):
    """The comparison of the two starts; a lower bound where it is `censored`."""

    step_ratio: float
    censored: bool
    mean_steps: int


def choose_learning_rates(exported: ExportedPack) -> LearningRates:
    """Sweep both starts' step sizes on drawings of their own set."""
    targets = _targets(Drawings.SWEEP, _SWEEP)
    codes, means = exported.encode(targets), exported.mean_codes(len(targets))
    hybrid = {}
    for rate in progress(_ENCODER_RATES, "sweep, encoder start", leave=False):
        refined = RefinedSet(exported, codes, targets, rate)
        refined.advance(COMPARED_STEPS)
        hybrid[rate] = refined.quality().perceptual
    encoder = min(hybrid, key=hybrid.__getitem__)
    mean = {}
    for rate in progress(_MEAN_RATES, "sweep, mean start", leave=False):
        refined = RefinedSet(exported, means, targets, rate)
        reached = refined.advance_until(hybrid[encoder], MOST_STEPS)
        # Where none gets there, the nearest.
        mean[rate] = (MOST_STEPS + 1 if reached is None else reached, refined.quality().perceptual)
    return LearningRates(encoder, min(mean, key=mean.__getitem__))


def measure_inversion(exported: ExportedPack, rates: LearningRates) -> dict[str, object]:
    """Invert the held-out drawings from both starts.

    Returns:
        `mse`, `perceptual` and `moved` (each `encoder`, `hybrid_100`, `mean_100`, `mean_1000`), `step_ratio`,
        `censored`, `mean_steps`, `hybrid_30_perceptual`, `learning_rate`.
    """
    targets = _targets(Drawings.HELD_OUT, HELD_OUT)
    hybrid = RefinedSet(exported, exported.encode(targets), targets, rates.encoder)
    points = {"encoder": _Point.of(hybrid)}
    hybrid.advance(COMPARED_STEPS)
    goal = hybrid.quality().perceptual
    hybrid.advance(_HYBRID_STEPS - COMPARED_STEPS)
    points["hybrid_100"] = _Point.of(hybrid)
    mean = RefinedSet(exported, exported.mean_codes(HELD_OUT), targets, rates.mean)
    reached = None
    for stop in (100, MOST_STEPS):
        reached = reached or mean.advance_until(goal, stop)
        mean.advance(stop - mean.steps)
        points[f"mean_{stop}"] = _Point.of(mean)
    return {
        "mse": {name: point.quality.mse for name, point in points.items()},
        "perceptual": {name: point.quality.perceptual for name, point in points.items()},
        "moved": {name: point.moved for name, point in points.items()},
        **step_ratio(reached),
        "hybrid_30_perceptual": goal,
        "learning_rate": asdict(rates),
    }


def step_ratio(reached: int | None, most: int = MOST_STEPS) -> StepRatio:
    """The steps from the mean latent over those from the encoder.

    Args:
        reached: the steps from the mean to what the hybrid has after 30; None for too many.
        most: those it was given.
    """
    steps = most if reached is None else reached
    return {"step_ratio": steps / COMPARED_STEPS, "censored": reached is None, "mean_steps": steps}


def _targets(which: Drawings, count: int) -> Bytes:
    images, _ = draw(which, count)
    array: Bytes = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    return array


def moved(codes: Floats, starts: Floats) -> float:
    """Root mean square of the change, over all numbers of all codes."""
    return float(np.sqrt(np.square(codes - starts).mean()))
