"""Linear boundaries: the hyperplane in W that separates samples with and without an attribute.

Published in Shen et al., "Interpreting the Latent Space of GANs for Semantic Face Editing" (2020):
label generated samples, keep the clearest on either side, separate them linearly; the normal is
the direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_CLEAREST = 0.25
"""Share of the samples kept on either side."""

_WEIGHT_DECAY = 1e-2


@dataclass(frozen=True)
class Boundary:
    """The hyperplane <w, normal> + bias = 0.

    Attributes:
        normal: float32 [D], unit norm, pointing to more of the attribute.
        accuracy: share of the kept samples on their own side.
    """

    normal: Tensor
    bias: float
    accuracy: float


def fit_boundary(codes: Tensor, values: Tensor) -> Boundary:
    """Separate the samples with most and least of an attribute by logistic regression.

    Args:
        codes: float32 [N, D].
        values: float32 [N], the attribute of each sample.

    Raises:
        ValueError: fewer than 8 samples, or all values alike.
    """
    if len(codes) < 8 or float(values.std()) == 0.0:
        raise ValueError("values: expected at least 8 samples that differ")
    order = values.argsort()
    kept = max(4, int(len(order) * _CLEAREST))
    chosen = torch.cat([order[:kept], order[-kept:]])
    labels = torch.cat([torch.zeros(kept), torch.ones(kept)])
    centre, scale = codes.mean(0), codes.std()
    x = (codes[chosen] - centre) / scale
    weight, offset = _logistic_regression(x, labels)
    # Back from standardised codes: <(w - c)/s, v> + o = <w, v/s> + (o - <c, v>/s).
    length = (weight / scale).norm()
    normal = weight / scale / length
    bias = float((offset - centre @ (weight / scale)) / length)
    accuracy = (((codes[chosen] @ normal + bias) > 0) == (labels > 0.5)).float().mean()
    return Boundary(normal, bias, float(accuracy))


def _logistic_regression(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    weight = torch.zeros(x.shape[1], requires_grad=True)
    offset = torch.zeros((), requires_grad=True)
    solver = torch.optim.LBFGS([weight, offset], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        logits = x @ weight + offset
        loss = F.binary_cross_entropy_with_logits(logits, labels)
        loss = loss + _WEIGHT_DECAY * (weight * weight).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), offset.detach()
