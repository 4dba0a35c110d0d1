"""The report's figures about inversion, measured with the exported graphs on held-out drawings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from export.demo.refining import Bytes, ExportedPack, Floats
from export.demo.world import Drawings, draw

HELD_OUT = 64
_SWEEP = 8
_BATCH = 16
_HYBRID_STEPS, _COMPARED_STEPS, _MEAN_STEPS = 100, 30, 1_000
_ENCODER_RATES = (0.005, 0.01, 0.02, 0.04, 0.08)
_MEAN_RATES = (0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True)
class LearningRates:
    """Adam's step sizes, chosen on drawings that nothing else is measured on.

    Attributes:
        encoder: from the encoder's code, the lowest mean perceptual distance after 30 steps.
        mean: from the mean latent, the fewest steps to what `encoder` has after 30, and of those
            alike the lowest distance in the end: the choice that favours the rival most.
    """

    encoder: float
    mean: float


@dataclass(frozen=True)
class Curve:
    """Mean quality over a set of drawings, at the start and after every call of the graph.

    Attributes:
        steps: done at each point, 0 first.
        mse, perceptual: means over the drawings at each point.
    """

    steps: tuple[int, ...]
    mse: tuple[float, ...]
    perceptual: tuple[float, ...]

    def at(self, steps: int) -> tuple[float, float]:
        """MSE and perceptual distance after so many steps."""
        index = self.steps.index(steps)
        return self.mse[index], self.perceptual[index]

    def first_reaching(self, perceptual: float) -> int | None:
        """The first point at or below a perceptual distance; None if there is none."""
        for steps, value in zip(self.steps, self.perceptual, strict=True):
            if value <= perceptual:
                return steps
        return None


def choose_learning_rates(exported: ExportedPack) -> LearningRates:
    """Sweep both sides' step sizes on drawings of their own set."""
    targets = _targets(Drawings.SWEEP, _SWEEP)
    hybrid = {
        rate: refine_curve(exported, exported.encode(targets), targets, _COMPARED_STEPS, rate)
        for rate in tqdm(_ENCODER_RATES, "sweep, encoder start", leave=False)
    }
    encoder = min(hybrid, key=lambda rate: hybrid[rate].perceptual[-1])
    goal = hybrid[encoder].at(_COMPARED_STEPS)[1]
    means = exported.mean_codes(len(targets))
    mean = {
        rate: refine_curve(exported, means, targets, _MEAN_STEPS, rate)
        for rate in tqdm(_MEAN_RATES, "sweep, mean start", leave=False)
    }

    def price(rate: float) -> tuple[int, float]:
        reached = mean[rate].first_reaching(goal)
        return (_MEAN_STEPS + 1 if reached is None else reached), mean[rate].perceptual[-1]

    return LearningRates(encoder, min(mean, key=price))


def measure_inversion(exported: ExportedPack, rates: LearningRates) -> dict[str, object]:
    """Invert the held-out drawings from both starts.

    Returns:
        `mse` and `perceptual` (each `encoder`, `hybrid_100`, `mean_100`, `mean_1000`),
        `step_ratio`, `censored`, `learning_rate`.
    """
    targets = _targets(Drawings.HELD_OUT, HELD_OUT)
    hybrid = refine_curve(exported, exported.encode(targets), targets, _HYBRID_STEPS, rates.encoder)
    means = exported.mean_codes(len(targets))
    mean = refine_curve(exported, means, targets, _MEAN_STEPS, rates.mean)
    points = {
        "encoder": hybrid.at(0),
        "hybrid_100": hybrid.at(_HYBRID_STEPS),
        "mean_100": mean.at(_HYBRID_STEPS),
        "mean_1000": mean.at(_MEAN_STEPS),
    }
    reached = mean.first_reaching(hybrid.at(_COMPARED_STEPS)[1])
    return {
        "mse": {name: point[0] for name, point in points.items()},
        "perceptual": {name: point[1] for name, point in points.items()},
        "step_ratio": (_MEAN_STEPS if reached is None else reached) / _COMPARED_STEPS,
        "censored": reached is None,
        "hybrid_30_perceptual": hybrid.at(_COMPARED_STEPS)[1],
        "learning_rate": {"encoder": rates.encoder, "mean": rates.mean},
    }


def refine_curve(exported: ExportedPack, codes: Floats, targets: Bytes, steps: int, rate: float) -> Curve:
    """Refine in batches; measure at the start and after every call of the graph."""
    totals: dict[int, list[tuple[Floats, Floats]]] = {}
    for start in range(0, len(targets), _BATCH):
        part = slice(start, start + _BATCH)
        points = [(0, codes[part])]
        points += [(r.steps, r.codes) for r in exported.refine(codes[part], targets[part], steps, rate)]
        for done, reached in points:
            distances = exported.assess(reached, targets[part])
            totals.setdefault(done, []).append((distances["mse"], distances["perceptual"]))
    mse = [float(np.concatenate([m for m, _ in parts]).mean()) for parts in totals.values()]
    perceptual = [float(np.concatenate([p for _, p in parts]).mean()) for parts in totals.values()]
    return Curve(tuple(totals), tuple(mse), tuple(perceptual))


def _targets(which: Drawings, count: int) -> Bytes:
    images, _ = draw(which, count)
    array: Bytes = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    return array
