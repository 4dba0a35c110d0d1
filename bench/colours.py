"""How well a grey drawing's colours can be told at all.

Backgrounds of many hues are of one grey, each at a value of its own, and so are shirts of several hues. The
answer of least mean squared error is the mean of all drawings that are of this grey, every other factor being
known as it was drawn; nothing that sees the grey alone can do better on average.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bench.drawings import HeldOut
from relatent.core.degradation import GREY
from relatent_export.demo.factors import FACTORS
from relatent_export.demo.portraits import draw_portraits

Floats = NDArray[np.float64]

_HUE, _VALUE, _SHIRT = (FACTORS.index(name) for name in ("background_hue", "background_value", "shirt_hue"))
_BACKDROPS, _SHIRTS = 61, 101
_LEVEL = 1 / 255
"""What greys may differ by and still be one, as a standard deviation."""
_CORNER, _HEM = 3, 4
"""Pixels at the top left, where all is background, and rows at the bottom, where the middle is shirt."""


def least_error(drawings: HeldOut) -> float:
    """The mean over drawings of the expected squared error of the best answer, pixels in [0, 1].

    Args:
        drawings: those that are made grey.
    """
    hues = np.linspace(-1, 1, _BACKDROPS)
    dark, bright = (_corner(_varied(drawings.factors[0], {_HUE: hues, _VALUE: end})) for end in (-1.0, 1.0))
    errors = []
    for factors in drawings.factors:
        drawn = _corner(factors[None])[0]
        values = 2 * (drawn - dark) / (bright - dark) - 1
        # Of hue and value alike likely, those on a line of one grey weigh as the line is dense there.
        weights = np.where(np.abs(values) <= 1, 1 / (bright - dark), 0)
        backdrops = _draw(_varied(factors, {_HUE: hues, _VALUE: values.clip(-1, 1)}))
        shirts = _draw(_varied(factors, {_SHIRT: np.linspace(-1, 1, _SHIRTS)}))
        grey = _hem(_draw(factors[None]))[0]
        likely = np.exp(-np.square((_hem(shirts) - grey) / _LEVEL) / 2)
        errors.append(_spread(backdrops, weights) + _spread(shirts, likely))
    return float(np.mean(errors))


def _spread(images: Floats, weights: Floats) -> float:
    """The expected squared distance of images to their mean."""
    share = (weights / weights.sum())[:, None, None, None]
    return float((share * np.square(images - (share * images).sum(0))).sum(0).mean())


def _varied(factors: NDArray[np.float32], others: dict[int, Floats | float]) -> NDArray[np.float32]:
    count = max(np.size(value) for value in others.values())
    varied = np.repeat(factors[None], count, 0)
    for place, value in others.items():
        varied[:, place] = value
    return varied


def _draw(factors: NDArray[np.float32]) -> Floats:
    chunks = torch.split(torch.from_numpy(factors), 200)
    images = torch.cat([draw_portraits(chunk, 64) for chunk in chunks])
    return images.permute(0, 2, 3, 1).double().numpy() / 255


def _corner(factors: NDArray[np.float32]) -> Floats:
    means: Floats = (_draw(factors)[:, :_CORNER, :_CORNER] @ GREY[0]).mean((1, 2))
    return means


def _hem(images: Floats) -> Floats:
    middle = images.shape[2] // 2
    means: Floats = (images[:, -_HEM:, middle - _HEM : middle + _HEM] @ GREY[0]).mean((1, 2))
    return means
