"""Where a generator's own codes lie: a Gaussian fitted to what its mapping network makes of noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from relatent_export.nets.networks import AnyGenerator

_DRAWN, _SEED, _CHUNK = 10_000, 0, 1_000
_RIDGE = 0.03
"""Of the mean variance, added to that of every number: images' codes leave thin directions sooner."""


@torch.no_grad()
def own_codes(generator: AnyGenerator) -> Tensor:
    """Codes of W of samples without truncation, always the same, float32 [10,000, D]."""
    z = torch.randn(_DRAWN, generator.config.z_width, generator=torch.Generator().manual_seed(_SEED))
    return torch.cat([generator.codes(chunk, 1.0)[:, 0] for chunk in torch.split(z, _CHUNK)])


class CodePrior(nn.Module):
    """Codes in units of the generator's own.

    After Wulff & Torralba, "Improving Inversion and Generation Diversity in StyleGAN Using a Gaussianized
    Latent Space" (2020), in W itself.

    Args:
        generator: whose codes.
    """

    def __init__(self, generator: AnyGenerator) -> None:
        super().__init__()
        drawn = own_codes(generator).double()
        mean = drawn.mean(0)
        covariance = torch.cov(drawn.T)
        ridge = _RIDGE * covariance.diagonal().mean() * torch.eye(len(mean), dtype=torch.float64)
        # C = L Lᵀ, so that the squares of L⁻¹ (w - mean) add up to the squared Mahalanobis distance.
        root = torch.linalg.inv(torch.linalg.cholesky(covariance + ridge))
        self.register_buffer("mean", mean.float())
        self.register_buffer("whitening", root.T.float().contiguous())
        self.mean: Tensor
        self.whitening: Tensor

    def forward(self, codes: Tensor) -> Tensor:
        """Codes [..., D] to numbers that are independent and of deviation 1 for the generator's own."""
        return (codes - self.mean) @ self.whitening
