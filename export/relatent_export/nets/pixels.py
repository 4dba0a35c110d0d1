"""Images as graphs take and give them, uint8, and as networks do."""

from __future__ import annotations

import torch
from torch import Tensor


def to_float(image: Tensor) -> Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1]."""
    return image.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_bytes(image: Tensor) -> Tensor:
    """float32 [B, 3, H, W] in [-1, 1] to uint8 [B, H, W, 3], clamped and rounded."""
    scaled = ((image.clamp(-1, 1) + 1) * 127.5).round()
    return scaled.to(torch.uint8).permute(0, 2, 3, 1)
