"""Preconditioning: coordinates in which every direction of a latent code counts alike.

A loss over W+ is steeper along some directions than along others by many orders of magnitude, and
they lie askew to the code's own axes, along which Adam adapts its step sizes. So refinement steps
in other coordinates, z, where code = start + B z:

    B = U (Λ + λ)^(-1/2),   C = U Λ Uᵀ,   C = mean over codes of JᵀJ

J is the Jacobian of the residuals whose squares add up to the loss, so that C is the Gauss-Newton
matrix: near a good reconstruction, half the Hessian of the loss (Nocedal and Wright, Numerical
Optimization, 2006, section 10.3). λ keeps apart what matters from what hardly does. Directions that
no loss depends on have no coordinate.

The matrix is one for all images, measured once a pack: a step costs two products with a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from relatent_export.nets.coordinates import Coordinates
from relatent_export.progress import progress

Residuals = Callable[[Tensor, Tensor], Sequence[Tensor]]
"""Codes [B, ...] and targets [B, ...] to tensors [B, ...] whose squares add up to the loss of each."""

DAMPING = 0.03
"""λ, of the mean of all eigenvalues."""

NOTHING = 1e-9
"""Of the largest eigenvalue: what lies below is rounding."""

_CHUNK = 32
"""Codes measured together."""


def gauss_newton(
    residuals: Residuals, codes: Tensor, targets: Tensor, probes: int, random: torch.Generator
) -> Tensor:
    """Estimate the mean of JᵀJ over codes.

    By random probes: for u of independent normal numbers, Jᵀu (one backward pass) has the covariance JᵀJ.

    Args:
        residuals: what the loss is made of.
        codes: float32 [N, ...], where to measure: the likes of those that refinement starts from.
        targets: [N, ...], one a code.
        probes: of each code; all of them want to be many times as many as the numbers of a code.
        random: of the probes.

    Returns:
        float64 [K, K], K numbers a code, symmetric and positive semidefinite.
    """
    width = codes[0].numel()
    total = torch.zeros(width, width, dtype=torch.float64)
    pairs = list(zip(torch.split(codes, _CHUNK), torch.split(targets, _CHUNK), strict=True))
    for code, target in progress(pairs, "measuring curvature", unit="batch", leave=False):
        leaf = code.detach().requires_grad_(True)
        compared = residuals(leaf, target)
        for _ in range(probes):
            directions = [torch.randn(r.shape, generator=random) for r in compared]
            (probe,) = torch.autograd.grad(list(compared), leaf, directions, retain_graph=True)
            rows = probe.flatten(1).double()
            total += rows.t() @ rows
    return total / (len(codes) * probes)


def coordinates(matrix: Tensor, damping: float = DAMPING) -> Tensor:
    """The basis B of the coordinates that make a quadratic form round.

    Args:
        matrix: [K, K], symmetric and positive semidefinite.
        damping: λ, of the mean of the eigenvalues; above 0.

    Returns:
        float32 [K, M], M <= K; its columns are orthogonal, the steepest direction last.

    Raises:
        ValueError: the matrix is zero, or not finite.
    """
    if not bool(torch.isfinite(matrix).all()) or not bool(matrix.any()):
        raise ValueError("matrix: expected finite numbers, and some that are not zero")
    values, vectors = torch.linalg.eigh(matrix.double())
    kept = values > NOTHING * values[-1]
    scale = torch.rsqrt(values[kept] + damping * values.clamp(min=0).mean())
    return (turned(vectors[:, kept]) * scale).float().contiguous()


def turned(vectors: Tensor) -> Tensor:
    """Columns [K, M], each with the sign that makes its largest number positive.

    A sign is the solver's whim; what is traced into a graph should not be.
    """
    largest = vectors.abs().argmax(0, keepdim=True)
    found: Tensor = vectors * vectors.gather(0, largest).sign()
    return found


def tied(whole: Coordinates, layers: int) -> Coordinates:
    """The coordinates of codes of W that those of W+ imply.

    B has orthogonal columns, so that M = B (BᵀB)⁻² Bᵀ is the matrix that it makes round, and where anything
    lies outside M = s⁻² + U (d⁻² - s⁻²) Uᵀ. On codes that are the same for every layer it is PᵀMP, P the
    repetition.

    Args:
        whole: of codes of L·D numbers.
        layers: L.

    Returns:
        Of all D numbers.
    """
    double = whole.basis.double()
    half = double / (double * double).sum(0)
    rows = half.reshape(layers, -1, half.shape[1]).sum(0)
    matrix = rows @ rows.t()
    if whole.outside is not None:
        least = whole.outside**-2
        flat = whole.axes.double().reshape(layers, -1, half.shape[1]).sum(0)
        matrix += layers * least * torch.eye(len(matrix), dtype=matrix.dtype) - least * flat @ flat.t()
    return Coordinates(coordinates(matrix, damping=0.0), unit=whole.unit)
