"""Editing latent codes: pure functions over float32 arrays [N, L, D], N codes at a time.

Layer ranges are slices of the L rows. Coarse rows come first. What strengths mean is
`relatent.core.directions`'s to say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

NOTHING_LEFT = 1e-4
"""A unit vector whose part outside the conditions' span is shorter than this lies within it."""


def orthogonalise(direction: Floats, conditions: Sequence[Floats]) -> Floats:
    """Make a direction orthogonal to others, row by row, by least squares.

    Takes away from each row its component in the span of the conditions' same rows, and scales what
    is left to unit norm again: InterFaceGAN's conditional boundaries (Shen et al., 2020), for any number
    of conditions.

    Args:
        direction: float32 [L, D], each row of unit norm or zero.
        conditions: any number of others, likewise; they need not be orthogonal to each other.

    Returns:
        float32 [L, D]; a row with nothing left is zero.
    """
    result = np.zeros_like(direction)
    for row, vector in enumerate(direction):
        basis = np.stack([condition[row] for condition in conditions], axis=1).astype(np.float64)
        coefficients = np.linalg.lstsq(basis, vector.astype(np.float64), rcond=NOTHING_LEFT)[0]
        rest = vector - basis @ coefficients
        norm = np.linalg.norm(rest)
        if norm > NOTHING_LEFT:
            result[row] = rest / norm
    return result


def move(w: Floats, direction: Floats, strengths: Floats, rows: slice) -> Floats:
    """Move codes along a direction: w + strength * n.

    Args:
        w: [N, L, D].
        direction: n, [L, D]: where one unit of strength goes.
        strengths: [N], or [S] for N = 1.
        rows: which to move.

    Returns:
        [N, L, D] or [S, L, D].
    """
    result = np.repeat(w, len(strengths), axis=0) if len(w) == 1 else w.copy()
    result[:, rows] += strengths[:, None, None] * direction[rows]
    return result


def move_to(
    w: Floats,
    direction: Floats,
    normal: Floats,
    bias: float,
    lengths: Floats,
    strengths: Floats,
    rows: slice,
) -> Floats:
    """Move codes along a direction until they are at a signed distance from a boundary, row by row.

    The boundary of row l is <w_l, normal_l> + bias = 0, and the distance to arrive at
    strength * length_l. Along its own normal the way is strength * length - (<w, n> + b); along a
    direction made orthogonal to others it is longer, by 1 / <direction, normal>.

    Args:
        w: [N, L, D].
        direction: where to move, [L, D], each row of unit norm or zero.
        normal: n, [L, D].
        bias: b.
        lengths: distance that is one unit of strength, [L]; a row of length 0 stays as it is.
        strengths: where to arrive, in lengths, [N], or [S] for N = 1.
        rows: which to move.

    Returns:
        [N, L, D] or [S, L, D].
    """
    result = np.repeat(w, len(strengths), axis=0) if len(w) == 1 else w.copy()
    part, along = result[:, rows], direction[rows]
    distance = np.einsum("nld,ld->nl", part, normal[rows]) + bias
    gain = np.einsum("ld,ld->l", along, normal[rows])
    moving = (np.abs(gain) > NOTHING_LEFT) & (lengths[rows] > 0)
    wanted = strengths[:, None] * lengths[rows]
    way = np.where(moving, (wanted - distance) / np.where(moving, gain, 1), 0)
    result[:, rows] += (way[:, :, None] * along).astype(np.float32)
    return result


def mix(w: Floats, other: Floats, rows: slice) -> Floats:
    """Replace rows of codes [N, L, D] by those of another code [L, D] (style mixing)."""
    result = w.copy()
    result[:, rows] = other[rows]
    return result


def interpolate(w: Floats, other: Floats, amounts: Floats) -> Floats:
    """Go a part of the way to another code.

    Args:
        w: [N, L, D].
        other: [L, D].
        amounts: [N], or [S] for N = 1; 0 stays, 1 arrives.

    Returns:
        [N, L, D] or [S, L, D].
    """
    share = amounts[:, None, None]
    return np.asarray((1 - share) * w + share * other, np.float32)


def truncate(w: Floats, mean: Floats, psi: float) -> Floats:
    """Pull codes [N, L, D] towards the mean latent [L, D]: mean + psi * (w - mean)."""
    return np.asarray(mean + np.float32(psi) * (w - mean), np.float32)
