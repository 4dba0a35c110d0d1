"""What an image looks like after it is moved, turned, zoomed or tinted: what walks learn to do in W.

Those of Jahanian, Chai and Isola, "On the steerability of generative adversarial networks" (2020). What comes
in from outside an image is not known, and a mask says where that is. Amounts have a unit each, and 0 leaves
an image as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_WHOLE = 0.999
"""Of the weights that a pixel is interpolated by: so much has to come from inside."""


class Transformed(NamedTuple):
    """Images after a transformation.

    Attributes:
        image: [B, 3, S, S]; 0 where it is not known.
        mask: [B, 1, S, S]; 1 where it is known, and else 0.
    """

    image: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Transform:
    """A transformation of images by an amount.

    Attributes:
        name: of it.
        unit: what an amount of 1 is.
        reach: the largest amount, either way, that walks are trained for.
        apply: images [B, 3, S, S] in [-1, 1] by amounts [B].
    """

    name: str
    unit: str
    reach: float
    apply: Callable[[Tensor, Tensor], Transformed]


def _warped(image: Tensor, rows: list[list[Tensor]]) -> Transformed:
    """Images whose pixel at (x, y) is taken from rows · (x, y, 1); the side is 2 long, and 0 its middle."""
    affine = torch.stack([torch.stack(row, 1) for row in rows], 1)
    grid = F.affine_grid(affine, list(image.shape), align_corners=False)
    inside = torch.ones_like(image[:, :1])
    mask = (F.grid_sample(inside, grid, align_corners=False) > _WHOLE).to(image.dtype)
    return Transformed(F.grid_sample(image, grid, align_corners=False) * mask, mask)


def _zoomed(image: Tensor, amount: Tensor) -> Transformed:
    scale, zero = torch.exp2(-amount), torch.zeros_like(amount)
    return _warped(image, [[scale, zero, zero], [zero, scale, zero]])


def _shifted_right(image: Tensor, amount: Tensor) -> Transformed:
    one, zero = torch.ones_like(amount), torch.zeros_like(amount)
    return _warped(image, [[one, zero, -2 * amount], [zero, one, zero]])


def _shifted_down(image: Tensor, amount: Tensor) -> Transformed:
    one, zero = torch.ones_like(amount), torch.zeros_like(amount)
    return _warped(image, [[one, zero, zero], [zero, one, -2 * amount]])


def _rotated(image: Tensor, amount: Tensor) -> Transformed:
    angle, zero = amount * (math.pi / 180), torch.zeros_like(amount)
    cosine, sine = angle.cos(), angle.sin()
    return _warped(image, [[cosine, -sine, zero], [sine, cosine, zero]])


def _lightened(*channels: float) -> Callable[[Tensor, Tensor], Transformed]:
    """More of some channels, by shares of the way from black to white."""

    def lightened(image: Tensor, amount: Tensor) -> Transformed:
        weights = torch.tensor(channels, dtype=image.dtype).reshape(1, 3, 1, 1)
        lighter = (image + 2 * amount.reshape(-1, 1, 1, 1) * weights).clamp(-1, 1)
        return Transformed(lighter, torch.ones_like(image[:, :1]))

    return lightened


_TINT = "the way from none of it to all of it, added to every pixel"

TRANSFORMS = {
    each.name: each
    for each in (
        Transform("zoom", "twice as large", 1.0, _zoomed),
        Transform("shift_x", "a side's length to the right", 0.25, _shifted_right),
        Transform("shift_y", "a side's length down", 0.25, _shifted_down),
        Transform("rotate", "a degree anticlockwise", 45.0, _rotated),
        Transform(
            "brightness", "the way from black to white, added to every pixel", 0.5, _lightened(1, 1, 1)
        ),
        Transform("red", _TINT, 0.5, _lightened(1, 0, 0)),
        Transform("green", _TINT, 0.5, _lightened(0, 1, 0)),
        Transform("blue", _TINT, 0.5, _lightened(0, 0, 1)),
    )
}
"""By name."""


def masked_error(image: Tensor, wanted: Transformed) -> Tensor:
    """The mean squared error of each image where it is known what is wanted, [B]; 0 where nothing is."""
    squares = ((image - wanted.image).square() * wanted.mask).sum((1, 2, 3))
    return squares / (image.shape[1] * wanted.mask.sum((1, 2, 3))).clamp(min=1)
