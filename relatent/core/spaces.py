"""The spaces that latent codes and directions live in."""

from __future__ import annotations

from enum import StrEnum


class Space(StrEnum):
    """A latent space of a StyleGAN-like generator of L layers, whose codes are D wide."""

    Z = "z"
    """Before the mapping network, float32 [Z]: what samples are drawn from. Inversions have no code here."""
    W = "w"
    """One vector for all layers: float32 [D]."""
    W_PLUS = "w+"
    """A vector for each layer: float32 [L, D] (Abdal et al., "Image2StyleGAN", 2019)."""
