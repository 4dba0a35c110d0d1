"""Walks in W that do to images what a transformation does to them, and their training.

Jahanian, Chai and Isola, "On the steerability of generative adversarial networks" (2020): of samples w and
amounts a, drawn uniformly, the mean of

    |mask · (G(walk(w, a)) - transform(G(w), a))|²

is minimised by Adam; each sample is seen moved by an amount and by its opposite. A linear walk is w + a · d.
A non-linear one takes small steps, w_{n+1} = w_n + NN(w_n), as many as the amount says, the last one in part.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.directions.spread import CodeSpread, spread_of
from relatent_export.directions.transforms import Transform, masked_error
from relatent_export.nets.layers import LEAK
from relatent_export.nets.networks import AnyGenerator, Networks
from relatent_export.nets.resampling import area_downsample
from relatent_export.training.checkpoint import (
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
)
from relatent_export.training.resuming import kept_at, train
from relatent_export.training.schedule import cosine, warm_up

BATCH = 4
"""Samples a step, each moved both ways."""
SIDE = 128
"""Height and width at which images are compared, at most."""
TRAINED_STEPS, UNROLLED_STEPS = 5, 10
"""Steps of a non-linear walk either way: those that go as far as it is trained, and all that it can take."""

_WAY_RATE, _BENT_RATE = 0.5, 0.002
_WARM = 0.05
"""Share of the run in which the step size rises."""
_PIXELS = 8 * 256 * 256
"""That are propagated through at a time: more of a large generator's do not fit into memory."""


class WalkKind(StrEnum):
    """How a walk goes."""

    LINEAR = "linear"
    NON_LINEAR = "non_linear"


class LinearWalk(nn.Module):
    """w + strength · shift, in the layers that it moves.

    Args:
        spread: of the generator's codes.
        moved: float32 [L, 1], 1 for the layers that it moves and else 0.
        reach: the largest strength, either way, that it is trained for.
    """

    moved: Tensor

    def __init__(self, spread: CodeSpread, moved: Tensor, reach: float) -> None:
        super().__init__()
        self.way = nn.Parameter(torch.zeros_like(spread.mean))
        self.scale = spread.deviation / reach
        self.register_buffer("moved", moved)

    @property
    def rates(self) -> list[dict[str, Any]]:
        """Adam's step sizes."""
        return [{"params": [self.way], "rate": _WAY_RATE}]

    @property
    def shift(self) -> Tensor:
        """What a strength of 1 adds, [D]."""
        return self.scale * self.way

    def forward(self, w: Tensor, strength: Tensor) -> Tensor:
        """Codes float32 [B, L, D] moved by strengths float32 [B, 1]."""
        return w + strength[:, :, None] * self.moved * self.shift


class NonLinearWalk(nn.Module):
    """Small steps, each a small network's of where the one before it led, and of the way: up or down.

    It goes twice as far as it is trained at most, whatever the strength. The number of steps is fixed, as a
    graph's has to be; those that a strength does not need do nothing.

    Args:
        spread: of the generator's codes.
        moved: float32 [L, 1], 1 for the layers that it moves and else 0; each is moved by what it is itself.
        reach: the largest strength, either way, that it is trained for.
        seed: of the network's first weights.
    """

    moved: Tensor
    mean: Tensor

    def __init__(self, spread: CodeSpread, moved: Tensor, reach: float, seed: int) -> None:
        super().__init__()
        width = len(spread.mean)
        random = torch.Generator().manual_seed(seed)
        self.enter = nn.Linear(width, width)
        self.turn = nn.Parameter(torch.zeros(width))
        self.leave = nn.Linear(width, width)
        nn.init.normal_(self.enter.weight, std=width**-0.5, generator=random)
        for zero in (self.enter.bias, self.leave.weight, self.leave.bias):
            nn.init.zeros_(zero)
        self.stride = reach / TRAINED_STEPS
        self.deviation = spread.deviation
        self.register_buffer("moved", moved)
        self.register_buffer("mean", spread.mean)

    @property
    def rates(self) -> list[dict[str, Any]]:
        """Adam's step sizes: what all codes have in common is learned as fast as a linear walk."""
        bent = [self.enter.weight, self.enter.bias, self.turn, self.leave.weight]
        return [{"params": [self.leave.bias], "rate": _WAY_RATE}, {"params": bent, "rate": _BENT_RATE}]

    def forward(self, w: Tensor, strength: Tensor) -> Tensor:
        """Codes float32 [B, L, D] moved by strengths float32 [B, 1]."""
        sign = strength.sign()[:, :, None]
        steps = strength.abs()[:, :, None] / self.stride
        for step in range(UNROLLED_STEPS):
            share = (steps - step).clamp(0, 1)
            w = w + share * self.moved * sign * self._step(w, sign)
        return w

    def _step(self, w: Tensor, sign: Tensor) -> Tensor:
        """What one step up adds, or one down takes away."""
        hidden = F.leaky_relu(self.enter((w - self.mean) / self.deviation) + sign * self.turn, LEAK)
        step: Tensor = self.leave(hidden) * (self.deviation / TRAINED_STEPS)
        return step


Walk: TypeAlias = LinearWalk | NonLinearWalk


def walk_of(generator: AnyGenerator, transform: Transform, kind: WalkKind, layers: range, seed: int) -> Walk:
    """A walk that is not trained: it leaves codes as they are."""
    moved = torch.zeros(generator.config.layers, 1)
    moved[list(layers)] = 1
    spread = spread_of(generator)
    if kind is WalkKind.LINEAR:
        return LinearWalk(spread, moved, transform.reach)
    return NonLinearWalk(spread, moved, transform.reach, seed)


def train_walk(
    networks: Networks,
    transform: Transform,
    kind: WalkKind,
    layers: range,
    samples: int,
    seed: int,
    work: Path | None = None,
) -> Walk:
    """Train a walk for a transformation.

    Args:
        networks: the pack's.
        transform: what it is to do; a strength is an amount of it.
        kind: how it goes.
        layers: that it moves.
        samples: that are seen, each once; whole batches of `BATCH` of them count.
        seed: of samples, amounts and weights.
        work: a folder that keeps the run, for one that goes on where it stopped; the result is the same.

    Raises:
        ValueError: there are fewer samples than a batch.
        OSError: the run cannot be kept; names the file.
    """
    if samples < BATCH:
        raise ValueError(f"--samples: expected {BATCH} or more, got {samples}")
    generator, steps = networks.generator, samples // BATCH
    walk = walk_of(generator, transform, kind, layers, seed)
    path = kept_at(work, "walk", networks.revision, transform.name, str(kind), layers, steps, seed)
    train(_WalkRun(walk, generator, transform, seed), steps, f"{transform.name}, {kind}", path)
    return walk.requires_grad_(False)


def images_to_compare(generator: AnyGenerator, codes: Tensor) -> Tensor:
    """The images of codes [B, L, D] as walks see them, [B, 3, S, S]."""
    return area_downsample(generator.synthesis(codes), min(SIDE, generator.config.resolution))


class _WalkRun:
    """A walk's training in progress; owns its optimiser and the random state."""

    def __init__(self, walk: Walk, generator: AnyGenerator, transform: Transform, seed: int) -> None:
        self.walk, self.generator, self.transform = walk, generator, transform
        self.adam = torch.optim.Adam(walk.rates)
        self.random = torch.Generator().manual_seed(seed)
        self.at_a_time = max(1, min(2 * BATCH, _PIXELS // generator.config.resolution**2))

    def step(self, progress: float) -> None:
        """See a batch."""
        for group in self.adam.param_groups:
            group["lr"] = group["rate"] * warm_up(progress + _WARM / 10, _WARM) * cosine(progress)
        z = torch.randn(BATCH, self.generator.config.z_width, generator=self.random)
        amounts = (2 * torch.rand(BATCH, 1, generator=self.random) - 1) * self.transform.reach
        with torch.no_grad():
            codes = self.generator.codes(z, 1.0)
            parts = torch.split(codes, self.at_a_time)
            images = torch.cat([images_to_compare(self.generator, some) for some in parts])
        both = (torch.cat([codes, codes]), torch.cat([images, images]), torch.cat([amounts, -amounts]))
        self.adam.zero_grad(set_to_none=True)
        for some, image, by in zip(*(torch.split(each, self.at_a_time) for each in both), strict=True):
            walked = images_to_compare(self.generator, self.walk(some, by))
            wanted = self.transform.apply(image, by[:, 0])
            loss = masked_error(walked, wanted).sum() / (2 * BATCH)
            loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on."""
        return {
            **module_tensors("walk", self.walk),
            **optimizer_tensors("adam", self.adam),
            "random": self.random.get_state(),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        load_module("walk", self.walk, tensors)
        load_optimizer("adam", self.adam, tensors)
        self.random.set_state(tensors["random"])
