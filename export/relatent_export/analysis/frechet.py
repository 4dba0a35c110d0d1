"""Fréchet distances: how far apart two sets of vectors lie, as Gaussians."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LatentFrechet:
    """How far apart two sets of codes lie.

    Attributes:
        averaged: Fréchet distance of the codes averaged over layers, in D numbers; what is reported.
        flattened: that of all layers' numbers at once, in L·D; it sees layers that differ, too.
    """

    averaged: float
    flattened: float


def latent_frechet(codes_a: Tensor, codes_b: Tensor) -> LatentFrechet:
    """Compare two sets of codes; computed in float64.

    With few codes the distance comes out too large, for their covariances are too rough: take 4,000 or more
    of each set, and the same number wherever distances are compared.

    Args:
        codes_a: float [N, L, D], N at least 2.
        codes_b: float [M, L, D], M at least 2.
    """
    return LatentFrechet(
        averaged=frechet_distance(codes_a.double().mean(1), codes_b.double().mean(1)),
        flattened=frechet_distance(codes_a.flatten(1), codes_b.flatten(1)),
    )


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Fréchet distance of two sets of vectors as Gaussians (Heusel et al. 2017); computed in float64.

    |m_a - m_b|² + tr(C_a + C_b - 2 (C_a C_b)^½), m means and C covariances.

    Args:
        a: float [N, F].
        b: float [M, F].
    """
    a, b = a.double(), b.double()
    shift = (a.mean(0) - b.mean(0)).square().sum()
    cov_a, cov_b = (torch.cov(each.t()).reshape(a.shape[1], -1) for each in (a, b))  # of one number, too
    # trace((A B)^½) is the sum of the square roots of the eigenvalues of A^½ B A^½.
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.t()
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return float(shift + cov_a.trace() + cov_b.trace() - 2 * cross)
