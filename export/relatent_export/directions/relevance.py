"""What style channels change of an image's vector: StyleCLIP's global directions (`relatent.core.text`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relatent.core.spaces import Space
from relatent_export.directions.differentiating import mean_derivative
from relatent_export.directions.points import draw_points, synthesis_of
from relatent_export.nets.image_text import ImageText
from relatent_export.nets.networks import Networks
from relatent_export.text.encoding import ImageEmbedding

CODES, SAMPLES, SEED = 32, 4_096, 81
"""At which derivatives are taken, and that tell deviations."""


@dataclass(frozen=True, eq=False)
class Relevance:
    """What style channels change.

    Attributes:
        relevance: each channel's mean change of the image's vector, of unit length or zero, float32 [S, E].
        deviation: of each channel over samples, float32 [S].
    """

    relevance: NDArray[np.float32]
    deviation: NDArray[np.float32]


def measure_relevance(networks: Networks, pair: ImageText, codes: int = CODES) -> Relevance:
    """Measure them by the vector's derivative, on average over samples' styles.

    Published are differences of images whose channel is moved by five deviations either way: of S channels at
    a hundred samples each, where derivatives take one pass for each of E numbers.
    """
    points = draw_points(networks.generator, Space.STYLE, SAMPLES, SEED)
    embedding = ImageEmbedding(pair, networks.generator.config.resolution).eval()
    synthesis = synthesis_of(networks.generator, Space.STYLE)

    def outputs(styles: Tensor) -> Tensor:
        embedded: Tensor = embedding(synthesis(styles).clamp(-1, 1))
        return embedded

    found = mean_derivative(outputs, torch.from_numpy(points[:codes]), pair.width, "measuring relevance")
    changes = found[:, 0].t().double().numpy()
    lengths = np.linalg.norm(changes, axis=1, keepdims=True)
    unit = np.divide(changes, lengths, out=np.zeros_like(changes), where=lengths > 1e-12)
    return Relevance(np.ascontiguousarray(unit, np.float32), np.asarray(points[:, 0].std(0), np.float32))
