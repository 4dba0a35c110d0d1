"""Pictures that lack something, made of whole ones; and where a picture was painted over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from relatent.core.restoration import RestorationPreset

FEWER = (2, 4, 8)
"""How many times smaller pictures are made."""
NOISE = 0.1
"""The standard deviation of noise, of the range of pixels."""
_MISSING = (128, 128, 128)
_SEED = 1


def spoilt(whole: Image.Image, preset: RestorationPreset, fewer: int = 4) -> Image.Image:
    """A picture without what a preset restores; of a missing part `covered` is for that.

    Args:
        whole: RGB, of the pack's size.
        preset: what it shall lack.
        fewer: for `upscale`, how many times fewer rows and columns there are.

    Returns:
        RGB, smaller for `upscale`. The same for the same picture.
    """
    match preset:
        case RestorationPreset.COLORIZE:
            return whole.convert("L").convert("RGB")
        case RestorationPreset.UPSCALE:
            return whole.resize((whole.width // fewer, whole.height // fewer), Image.Resampling.BOX)
        case RestorationPreset.DENOISE:
            pixels = np.asarray(whole, np.float64)
            noise = np.random.default_rng(_SEED).normal(0, 255 * NOISE, pixels.shape)
            return Image.fromarray(np.clip(pixels + noise, 0, 255).round().astype(np.uint8))
        case RestorationPreset.INPAINT:
            return whole


def covered(picture: Image.Image, known: Image.Image) -> Image.Image:
    """A picture with grey where it is not known."""
    return Image.composite(picture, Image.new("RGB", picture.size, _MISSING), known)


def known(painted: Mapping[str, Any] | None, side: int) -> Image.Image:
    """Where a picture is known that somebody painted over.

    Args:
        painted: what the editor holds: its layers, of any size.
        side: of the picture, in pixels.

    Returns:
        L of that side: black where anything was painted in what a pixel covers, else white.
    """
    mask = np.zeros((side, side), bool)
    for layer in (painted or {}).get("layers", ()):
        alpha = np.asarray(layer.convert("RGBA").getchannel("A"))
        rows, columns = np.nonzero(alpha)
        mask[rows * side // alpha.shape[0], columns * side // alpha.shape[1]] = True
    return Image.fromarray(np.where(mask, 0, 255).astype(np.uint8))
