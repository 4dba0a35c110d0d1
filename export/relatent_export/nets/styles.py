"""Synthesis by styles: StyleSpace, S (Wu et al., "StyleSpace Analysis", 2021).

A style is what a layer makes of its vector of w: one number for each channel that a convolution takes in
(StyleGAN2), or two for each that a layer gives out, scale and shift (StyleGAN). A code of S is all of them,
in the order in which synthesis takes them; layers to RGB have theirs after the layer whose maps they take.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn

from relatent_export.nets.layers import EqualizedLinear
from relatent_export.nets.modulation import Maps, SynthesisLayer, ToRGB, Unfinished
from relatent_export.nets.networks import AnyGenerator
from relatent_export.nets.stylegan1 import StyleGAN1Layer, StyleGAN1Synthesis
from relatent_export.nets.stylegan2 import Synthesis

Styled = SynthesisLayer | ToRGB | StyleGAN1Layer


class StyleSynthesis(nn.Module):
    """A generator's synthesis that takes styles in place of a code.

    Args:
        generator: whose.
        dtype: of the feature maps.

    Attributes:
        widths: of each layer's style.
        rows: of each layer's style, the row of a W+ code that it is made of.
        coloured: whether each layer's style is one to RGB.
    """

    def __init__(self, generator: AnyGenerator, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.synthesis, self._dtype = generator.synthesis, dtype
        layers = list(_styled(generator.synthesis))
        self.rows = [row for row, _ in layers]
        self.widths: list[int] = [_affine(layer).bias.shape[0] for _, layer in layers]
        self.coloured = [isinstance(layer, ToRGB) for _, layer in layers]

    def styles(self, w: Tensor) -> Tensor:
        """The styles of codes: float32 [B, L, D] to [B, S]."""
        codes = w.unbind(1)
        return torch.cat([_affine(layer)(codes[row]) for row, layer in _styled(self.synthesis)], 1)

    def forward(self, styles: Tensor) -> Tensor:
        """Images [B, 3, R, R], nominally in [-1, 1], of styles float32 [B, S]."""
        each = iter(torch.split(styles, self.widths, 1))
        maps, image = self.synthesis.begin(styles.shape[0], self._dtype)
        for _, layer in _styled(self.synthesis):
            if isinstance(layer, ToRGB):
                image = layer.styled(maps, next(each), image)
            elif isinstance(layer, SynthesisLayer):
                maps = layer.styled(maps, next(each))
            else:
                maps = Maps(layer.styled(maps.values, next(each)), None)
        return self.synthesis.image(Unfinished(maps, image))


def _styled(synthesis: Synthesis | StyleGAN1Synthesis) -> Iterator[tuple[int, Styled]]:
    """The layers that are styled as synthesis runs them, each with its row of a W+ code."""
    for row, layer in enumerate(synthesis.layers):
        yield row, cast(Styled, layer)
        if isinstance(synthesis, Synthesis) and row % 2 == 0:
            yield row + 1, cast(ToRGB, synthesis.to_rgbs[row // 2])


def _affine(layer: Styled) -> nn.Linear | EqualizedLinear:
    """What makes a layer's style of its row of the code."""
    return layer.style if isinstance(layer, StyleGAN1Layer) else layer.conv.style
