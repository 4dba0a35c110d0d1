"""Pivotal tuning: the generator's weights are tuned to one image, from a code that is near already.

    mean((x - G(w))²) + distance(x, G(w)), pixels in [-1, 1], by Adam over all weights of the synthesis

As published, without the regulariser that it leaves out unless asked. The pack's perceptual distance stands
in for LPIPS, and nothing ends it early: the published threshold is one of LPIPS. Each image ends with a
synthesis of its own, which must be kept to edit the image.

Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images" (2021).
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from relatent_export.nets.perceptual import FeatureNetwork, perceptual_distance

STEPS, RATE = 350, 3e-4
"""Published."""


@dataclass(frozen=True)
class TunedSynthesis:
    """A synthesis of one image's own.

    Attributes:
        synthesis: W+ codes to images, as the one that it began as.
        seconds: that tuning took.
        size: of its weights, in bytes: what is to be kept of it.
    """

    synthesis: nn.Module
    seconds: float
    size: int


def tune(
    synthesis: nn.Module,
    pivot: Tensor,
    target: Tensor,
    perceptual: FeatureNetwork,
    steps: int = STEPS,
    rate: float = RATE,
) -> TunedSynthesis:
    """Tune a copy of a synthesis to one image.

    Args:
        synthesis: W+ codes to images in [-1, 1]; left as it is.
        pivot: float32 [L, D], the code to tune at.
        target: float32 [3, R, R] in [-1, 1].
        perceptual: the network whose features are compared.
        steps: of Adam.
        rate: Adam's step size, in units of the weights.
    """
    began = time.perf_counter()
    tuned = copy.deepcopy(synthesis)
    parameters = list(tuned.parameters())
    tuned.requires_grad_(True)
    optimiser = torch.optim.Adam(parameters, lr=rate)
    code, image = pivot[None], target[None]
    with torch.no_grad():
        features = perceptual.compared(image)
    for _ in range(steps):
        made = tuned(code)
        distance = perceptual_distance(perceptual.compared(made), features, divisor=perceptual.divisor)
        loss = (made - image).square().mean() + distance.sum()
        optimiser.zero_grad()
        loss.backward(inputs=parameters)
        optimiser.step()
    optimiser.zero_grad()
    tuned.requires_grad_(False)
    size = sum(parameter.numel() * parameter.element_size() for parameter in parameters)
    return TunedSynthesis(tuned, time.perf_counter() - began, size)
