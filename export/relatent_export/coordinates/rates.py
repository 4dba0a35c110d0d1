"""Adam's step sizes for coordinates: those with which refinement comes nearest to samples.

A step size doubles or halves from a first guess until both its neighbours do worse; the lowest point of the
parabola through the three, over the logarithms, is taken. All of it follows from seed and coordinates alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from relatent.core.methods import StartRule
from relatent_export.compile.step import OptimizerStep
from relatent_export.coordinates.samples import Sampled, at_a_time, draw_samples, starts
from relatent_export.nets.coordinates import PLAIN_UNIT, Coordinates
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import reconstruction_objective
from relatent_export.progress import progress

STEPS: Mapping[StartRule, int] = {StartRule.ENCODER: 20, StartRule.MEAN: 40}
"""Of a refinement whose end is compared, by its start; half of them where images are large."""

PLAIN_RATE = 0.01
"""Adam's step size from an encoder's code along the code's own numbers, as in in-domain inversion's projector
(Zhu et al. 2020)."""

_MOST, _LEAST = 8, 2
"""Samples that are refined."""
_TRIED = 5
"""Step sizes that a search tries, as a rule."""
_GUESSED = 0.5
"""Of what a number of the coordinates may have to go: the first guess, which decides nothing but how long the
search takes."""
_REACH = 5
"""Doublings that a search goes from its guess at most."""


def samples_of(networks: Networks) -> int:
    """On how many samples step sizes are chosen: fewer of large images."""
    return max(_LEAST, min(_MOST, at_a_time(networks)))


def steps_of(networks: Networks, start: StartRule) -> int:
    """After how many steps refinements are compared: half of them for large images."""
    return STEPS[start] if samples_of(networks) == _MOST else STEPS[start] // 2


def passes(networks: Networks) -> int:
    """About how many steps of one sample choosing takes."""
    return _TRIED * samples_of(networks) * sum(steps_of(networks, start) for start in STEPS)


def choose_rates(
    networks: Networks, weights: Mapping[str, float], coordinates: Coordinates, seed: int
) -> dict[str, float]:
    """Step sizes from the encoder's code, `encoder`, and from the mean latent, `mean`.

    Args:
        networks: the pack's.
        weights: of the objective's terms; from the mean nothing anchors codes.
        coordinates: that it steps in.
        seed: of the samples.
    """
    random = torch.Generator().manual_seed(seed)
    sampled = draw_samples(networks, samples_of(networks), random)
    stepping = replace(networks, coordinates=coordinates)
    rates = {}
    with progress(desc="choosing step sizes", total=len(STEPS) * _TRIED, unit="run", leave=False) as bar:
        for rule in STEPS:
            steps = steps_of(networks, rule)
            held = weights if rule is StartRule.ENCODER else {**weights, "anchor": 0.0}
            trial = _Trial(stepping, held, sampled, starts(networks, sampled, rule))

            def measured(rate: float, trial: _Trial = trial, steps: int = steps) -> float:
                bar.update()
                return trial.loss(rate, steps)

            rates[str(rule)] = lowest(measured, trial.guess())
    return rates


def unit_for(rate: float) -> float:
    """`Coordinates.unit` where this is the step size from the encoder's code.

    A step moves what is in units of its own deviation by so many deviations, whatever the code's coordinates
    are: as many as along the code's own numbers. The demo's own agrees. With the demo's coordinates of 512
    directions, half the unit and twice the unit each leave a loss 18 % higher after 20 steps of `feature`, on
    drawings for choices.
    """
    return PLAIN_UNIT * PLAIN_RATE / rate


class _Trial:
    """Refinements of the same samples from the same codes, by different step sizes."""

    def __init__(
        self, networks: Networks, weights: Mapping[str, float], sampled: Sampled, codes: Tensor
    ) -> None:
        self._objective = reconstruction_objective(networks)
        self._bases, self._chunk = networks.bases, at_a_time(networks)
        self._codes, self._images = codes, sampled.images
        self._weights = {f"weight.{name}": value for name, value in weights.items()}

    def guess(self) -> float:
        """About how far a number of the coordinates may have to go, by the loss at the start."""
        numbers = self._bases["w"].numbers
        return _GUESSED * math.sqrt(self.loss(0.0, 1) / numbers)

    def loss(self, rate: float, steps: int) -> float:
        """Mean over samples of the lowest loss before any of so many steps."""
        codes, images = (torch.split(each, self._chunk) for each in (self._codes, self._images))
        parts = zip(codes, images, strict=True)
        return float(torch.cat([self._refined(*part, rate, steps) for part in parts]).mean())

    def _refined(self, code: Tensor, images: Tensor, rate: float, steps: int) -> Tensor:
        batch = len(code)
        mask = torch.full(images.shape[:3], 255, dtype=torch.uint8)
        with torch.no_grad():
            prepared = self._objective.prepare({"target": images, "mask": mask})
        step = OptimizerStep(self._objective, self._bases, tuple(prepared))
        values = {f"state.{name}": torch.zeros(batch, *shape) for name, shape in step.shapes.items()}
        values |= {f"state.{name}": code for name in ("w", "best_w", "anchor")}
        values["state.best_loss"] = torch.full((batch, 1), torch.inf)
        values |= {name: torch.full((batch, 1), value) for name, value in self._weights.items()}
        values |= {f"prepared.{name}": value for name, value in prepared.items()}
        values |= {"steps": torch.full((batch, 1), steps), "learning_rate": torch.full((batch, 1), rate)}
        for iteration in range(steps):
            values["iteration"] = torch.tensor(iteration)
            *following, _ = step(*(values[name] for name in step.inputs))
            values |= {f"state.{name}": each for name, each in zip(step.state, following, strict=True)}
        return values["state.best_loss"]


def lowest(measure: Callable[[float], float], guess: float) -> float:
    """Where a function of a step size is lowest, by doubling and halving; to two digits.

    Args:
        measure: the function; what is not finite counts as high.
        guess: where to begin, above 0.
    """
    found: dict[int, float] = {}

    def at(doublings: int) -> float:
        if doublings not in found:
            value = measure(guess * 2.0**doublings)
            found[doublings] = math.log(value) if 0 < value < math.inf else math.inf
        return found[doublings]

    here = 0 if at(0) <= at(1) else 1
    while min(at(here - 1), at(here + 1)) < at(here) and abs(here) < _REACH:
        here += 1 if at(here + 1) < at(here - 1) else -1
    before, now, after = at(here - 1), at(here), at(here + 1)
    bend = before - 2 * now + after
    shift = (before - after) / (2 * bend) if 0 < bend < math.inf else 0.0
    return float(f"{guess * 2.0 ** (here + max(-0.5, min(shift, 0.5))):.1e}")
