"""Single channels of StyleSpace: for each attribute the one that moves it most and little else.

Wu, Lischinski and Shechtman, "StyleSpace Analysis: Disentangled Controls for StyleGAN Image Generation"
(2021), who rank channels by how often the attribute's gradient is largest there. Here the gradient is
averaged over codes, and taken as shares of the attributes' ranges for a deviation of the channel over
samples. A channel's rank for an attribute is

    (its share)² / the length of its shares of all attributes,

the share itself times how much of what the channel does is the attribute's.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.directions.differentiating import mean_derivative
from relatent_export.directions.finders.finder import FinderInput
from relatent_export.directions.finders.making import direction_of
from relatent_export.directions.gradients import differentiable_reader
from relatent_export.directions.points import draw_points, synthesis_of

CODES = 32
"""At which gradients are taken."""


def find_channels(given: FinderInput) -> list[Direction]:
    """A channel for each attribute, by its name with `_style` after it; it points to more of the attribute.

    A unit of strength is a deviation of the channel over samples.

    Raises:
        ValueError: fewer samples than tell a deviation.
    """
    if given.samples < CODES:
        raise ValueError(f"--samples: expected {CODES} or more, got {given.samples}")
    points = draw_points(given.networks.generator, Space.STYLE, given.samples, given.seed)
    deviations = points[:, 0].std(0, dtype=np.float64)
    shares = _gradients(given, points[:CODES]) * deviations
    shares /= np.array([[attribute.width * np.sign(attribute.scale)] for attribute in given.attributes])
    ranks = np.square(shares) / np.maximum(np.linalg.norm(shares, axis=0), 1e-12)
    found = []
    for attribute, row, rank in zip(given.attributes, shares, ranks, strict=True):
        channel = int(rank.argmax())
        vector = np.zeros((1, len(deviations)))
        vector[0, channel] = np.sign(row[channel]) or 1.0
        found.append(
            direction_of(
                given,
                f"{attribute.name}_style",
                vector,
                attribute=attribute.name,
                lengths=[float(deviations[channel])],
            )
        )
    return found


def _gradients(given: FinderInput, points: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean derivative of readings by styles, [A, S]."""
    synthesis = synthesis_of(given.networks.generator, Space.STYLE)
    read = differentiable_reader(given.networks)

    def outputs(styles: Tensor) -> Tensor:
        return read(synthesis(styles))

    found = mean_derivative(outputs, torch.from_numpy(points), len(given.attributes), "ranking channels")
    return np.asarray(found[:, 0].numpy(), np.float64)
