"""Directions by the mean Jacobian's pseudo-inverse: each attribute's moves it and holds all the others.

With J the derivative of all attributes by the code, in shares of their ranges, the step of least norm that
changes attribute a by one and no other is column a of J^T (J J^T)^-1. That is to first order, and on average
over codes: what an exact edit (`relatent.core.targets`) begins with and then corrects.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relatent.core.attributes import Attribute
from relatent.core.controls import Controls
from relatent.core.directions import Direction
from relatent.core.spaces import Space

_DAMPING = 1e-2
"""Of the least squares, as a share of the mean squared answer to a step."""


def jacobian_directions(attributes: Sequence[Attribute], controls: Controls) -> list[Direction]:
    """A direction of W+ for each attribute, not calibrated yet.

    A strength of 1 moves the layers by lengths whose root mean square is 1.
    """
    steps = least_norm_steps(attributes, controls.jacobian)
    return [_direction(attribute.name, step) for attribute, step in zip(attributes, steps, strict=True)]


def least_norm_steps(attributes: Sequence[Attribute], jacobian: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each attribute's step, [A, L, D], that changes it by its range and no other, to first order."""
    widths = np.array([attribute.width for attribute in attributes])
    rows = jacobian.reshape(len(widths), -1) / widths[:, None]
    square = rows @ rows.T
    square += (_DAMPING * np.trace(square) / len(rows) + 1e-12) * np.eye(len(rows))
    steps: NDArray[np.float64] = np.linalg.solve(square, rows).reshape(jacobian.shape)
    return steps


def _direction(name: str, step: NDArray[np.float64]) -> Direction:
    lengths = np.linalg.norm(step, axis=1)
    vector = np.divide(step, lengths[:, None], out=np.zeros_like(step), where=lengths[:, None] > 0)
    lengths /= np.sqrt(np.square(lengths).mean())
    return Direction(
        name=name,
        vector=np.asarray(vector, np.float32),
        bias=0.0,
        attribute=name,
        first_layer=0,
        last_layer=len(step) - 1,
        calibration=0.0,
        min_strength=0.0,
        max_strength=0.0,
        lengths=tuple(float(np.float32(length)) for length in lengths),
        space=Space.W_PLUS,
        source="the attributes' mean Jacobian, pseudo-inverse",
    )
