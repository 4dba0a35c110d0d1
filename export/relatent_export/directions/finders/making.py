"""Directions made of vectors that finders found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.directions.finders.finder import FinderInput


def direction_of(
    given: FinderInput,
    name: str,
    vector: NDArray[Any],
    *,
    attribute: str = "",
    bias: float = 0.0,
    lengths: Sequence[float] = (),
) -> Direction:
    """A direction that is not calibrated yet.

    Args:
        given: the space and the layers.
        name: of the direction.
        vector: of unit norm, [D] in W and P, [Z] in Z and [1, S] in S; of unit norm in each layer, [L, D],
            in W+.
        attribute: that it moves; empty where that is not known.
        bias: of its boundary.
        lengths: how far one unit of strength moves each layer; 1 each if left out.
    """
    config = given.networks.generator.config
    rowless = given.space in (Space.Z, Space.STYLE)
    rows = 1 if rowless else config.layers
    vectors = np.broadcast_to(vector, (rows, vector.shape[-1])) if vector.ndim == 1 else vector
    layers = range(1) if rowless else given.layers
    return Direction(
        name=name,
        vector=np.array(vectors, np.float32),
        bias=float(np.float32(bias)),
        attribute=attribute,
        first_layer=layers.start,
        last_layer=layers.stop - 1,
        calibration=0.0,
        min_strength=0.0,
        max_strength=0.0,
        lengths=tuple(float(np.float32(length)) for length in lengths),
        space=given.space,
    )


def pointing(vectors: NDArray[Any]) -> NDArray[Any]:
    """Vectors [N, D] of which it is not said which way they point: so that their largest entry is above 0."""
    largest = np.abs(vectors).argmax(1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest])
    turned: NDArray[Any] = vectors * np.where(signs == 0, 1, signs)[:, None]
    return turned
