"""InterFaceGAN's boundaries: the hyperplane between samples with and without an attribute.

Shen et al., "Interpreting the Latent Space of GANs for Semantic Face Editing" (2020): of many samples the
clearest on either side are kept, a linear SVM separates them, and its normal is the direction. Distances are
signed, so the bias is kept as well: <w, n> + b = 0.

Samples' codes of W+ are the same in each layer unless styles are mixed: those drawn for W+ cross over at a
layer of their own each, as in the generators' training (Karras et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.directions.finders.finder import FinderInput
from relatent_export.directions.finders.making import direction_of

CLEAREST, FEWEST = 0.1, 8
"""Share of the samples that is kept on either side, at most, and how many at least."""


@dataclass(frozen=True)
class Hyperplane:
    """The points for which <x, normal> + bias = 0.

    Attributes:
        normal: [K], of unit norm, pointing to more of the attribute.
        bias: of the same scale.
    """

    normal: NDArray[np.float64]
    bias: float


def find_boundaries(given: FinderInput) -> list[Direction]:
    """A boundary for each label, by its name with `_boundary` after it.

    Raises:
        ValueError: too few samples, or a label that is the same for all.
    """
    assert given.labelled is not None
    labelled, found = given.labelled, []
    # One layer of a code of W stands for all of them.
    points = labelled.points if given.space is Space.W_PLUS else labelled.points[:, 0]
    for name, values in zip(labelled.names, labelled.values.T, strict=True):
        known = np.isfinite(values)
        plane = separate(points[known].reshape(known.sum(), -1), values[known], name, given.seed)
        found.append(replace(_direction(given, name, plane), samples=int(known.sum())))
    return found


def separate(points: NDArray[Any], values: NDArray[Any], name: str, seed: int) -> Hyperplane:
    """The hyperplane between the points with the most and the least of an attribute.

    As many are kept on either side as are told apart, where labels are yes and no and one of them is rare.

    Args:
        points: [N, K].
        values: [N].
        name: of the attribute, for errors.
        seed: of the solver.

    Raises:
        ValueError: fewer than 16 points, or fewer than 8 on either side.
    """
    if len(points) < 2 * FEWEST:
        raise ValueError(f"{name}: expected labels of {2 * FEWEST} samples or more, got {len(points)}")
    order = np.argsort(values, kind="stable")
    wanted, ascending = max(FEWEST, round(len(points) * CLEAREST)), values[order]
    kept = int(np.count_nonzero(ascending[:wanted] < ascending[::-1][:wanted]))
    if kept < FEWEST:
        raise ValueError(
            f"{name}: expected labels that tell {FEWEST} samples or more with the most from as many with the "
            f"least, got {kept}"
        )
    least, most = order[:kept], order[-kept:]
    # One scale for all, so that distances stay what they are.
    centre, scale = points.mean(0, dtype=np.float64), float(points.std(dtype=np.float64)) or 1.0
    chosen = np.concatenate([least, most])
    solver = LinearSVC(dual="auto", random_state=seed, max_iter=10_000)
    solver.fit((points[chosen] - centre) / scale, np.repeat([0, 1], kept))
    weight = solver.coef_[0].astype(np.float64) / scale
    length = float(np.linalg.norm(weight))
    return Hyperplane(weight / length, float((solver.intercept_[0] - centre @ weight) / length))


def _direction(given: FinderInput, name: str, plane: Hyperplane) -> Direction:
    title = f"{name}_boundary"
    if given.space is not Space.W_PLUS:
        return direction_of(given, title, plane.normal, attribute=name, bias=plane.bias)
    rows = plane.normal.reshape(given.networks.generator.config.layers, -1)
    lengths = np.linalg.norm(rows, axis=1)
    unit = np.divide(rows, lengths[:, None], out=np.zeros_like(rows), where=lengths[:, None] > 0)
    # As for the mean Jacobian's: a strength of 1 moves layers by lengths whose root mean square is 1. There
    # is no distance of one layer to a boundary of all, so none is kept.
    lengths = lengths / np.sqrt(np.square(lengths).mean())
    return direction_of(given, title, unit, attribute=name, lengths=lengths.tolist())
