"""Refinement as the public projectors write it: a loop of PyTorch autograd.

`frozen` is written as the projector of StyleGAN2's authors is: networks frozen, the target's
features computed once, Adam; but, so that both sides do the same work, in the coordinates of the
graph. `wasteful` is the loop of idinvert: nothing is frozen, so every step also computes the
gradients of all weights, and the target's features are computed anew each step. Both minimise what
the pack's refinement graph minimises, with the same networks and the same weights. The synthesis may
be the networks' own or the published form of it (`bench.published`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.coordinates import Coordinates
from relatent_export.nets.lpips import Lpips
from relatent_export.nets.perceptual import perceptual_distance
from relatent_export.nets.resampling import area_downsample


@dataclass(frozen=True)
class Problem:
    """What is minimised, from where, and how fast.

    Attributes:
        target: float32 [B, 3, S, S] in [-1, 1]; images are averaged down to its size before they are
            compared.
        start: float32 [B, L, D].
        learning_rate: Adam's step size.
        weights: of the terms `pixel`, `perceptual` and `anchor`.
        coordinates: that Adam steps in, as in the graph; None for those of the code itself.
    """

    target: Tensor
    start: Tensor
    learning_rate: float
    weights: Mapping[str, float]
    coordinates: Coordinates | None = None


class Projector:
    """A loop of PyTorch autograd.

    Args:
        synthesis: W+ codes to images.
        perceptual: the network whose features are compared.
        wasteful: nothing frozen, the target's features computed anew each step.
    """

    def __init__(self, synthesis: nn.Module, perceptual: AttributeNetwork | Lpips, *, wasteful: bool) -> None:
        self._synthesis, self._perceptual, self._wasteful = synthesis, perceptual, wasteful

    def run(self, problem: Problem, steps: int) -> Tensor:
        """Refine.

        Returns:
            The loss of each sample before each step, float32 [B, steps].
        """
        for network in (self._synthesis, self._perceptual):
            _freeze(network, frozen=not self._wasteful)
        start, own = problem.start, problem.coordinates
        moved = torch.zeros_like(start) if own is None else torch.zeros(len(start), own.numbers)
        optimiser = torch.optim.Adam([moved.requires_grad_()], lr=problem.learning_rate)
        features = None if self._wasteful else self._features(problem.target)
        losses = []
        for _ in range(steps):
            wanted = self._features(problem.target) if features is None else features
            code = start + (moved if own is None else own.moved(moved).view_as(start))
            loss = self._losses(code, problem, wanted)
            optimiser.zero_grad()
            loss.sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(loss.detach())
        return torch.stack(losses, dim=1)

    def _features(self, image: Tensor) -> list[Tensor]:
        return self._perceptual.compared(image)

    def _losses(self, code: Tensor, problem: Problem, features: list[Tensor]) -> Tensor:
        image = area_downsample(self._synthesis(code), problem.target.shape[-1])
        # Pixels count in [0, 1]: a quarter of the squared difference in [-1, 1].
        terms = {
            "pixel": (image - problem.target).square().mean((1, 2, 3)) / 4,
            "perceptual": perceptual_distance(
                self._features(image), features, divisor=self._perceptual.divisor
            ),
            "anchor": (code - problem.start).square().mean((1, 2)),
        }
        return torch.stack([terms[name] * weight for name, weight in problem.weights.items()]).sum(0)


def step_flops(projector: Projector, problem: Problem) -> int:
    """Floating-point operations of one frozen step's products and convolutions, there and back."""
    with FlopCounterMode(display=False) as one:
        projector.run(problem, 1)
    with FlopCounterMode(display=False) as two:
        projector.run(problem, 2)
    # The second step alone: the target's features are computed before the first.
    return int(two.get_total_flops() - one.get_total_flops())


def _freeze(network: nn.Module, *, frozen: bool) -> None:
    for parameter in network.parameters():
        parameter.requires_grad_(not frozen)
        parameter.grad = None
