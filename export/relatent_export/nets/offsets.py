"""Synthesis with offsets of its features: detail that no code of W+ makes, kept beside the code.

After some layers an offset is added to the features. It is found together with the code, and carried along
when the code is edited. But it belongs to where things are in the image that it was found in: where an edit
moves them, it would stay behind like a stencil. So it fades where the features below it change:

    offset · exp(-d / TOLERANCE),   d = mean over channels of ((F(w) - F(origin)) / deviation)²

F are the features that the offset is added to, of the edited code w and of the code that it was found with.

The features of a layer differ in size from channel to channel and from network to network, so offsets are in
units of each channel's own deviation over the generator's samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from relatent_export.nets.modulation import Maps
from relatent_export.nets.stylegan1 import StyleGAN1
from relatent_export.nets.stylegan2 import Generator

AnyGenerator: TypeAlias = Generator | StyleGAN1

TOLERANCE = 0.3
"""Change of the features, in squared deviations, over which an offset fades to a third. On drawings that are
not the held-out ones, exact edits of yaw, pitch and width came a third nearer to the drawing redrawn than
without offsets, and a quarter with offsets that stay; between 0.3 and 1 it hardly matters."""

_SAMPLES, _SEED = 32, 9
_LEAST_DEVIATION = 1e-3
_DIGITS = 3
"""Of a deviation: the same network gives the same numbers on every machine."""


class OffsetSynthesis(nn.Module):
    """A generator's synthesis with offsets after some of its layers.

    Args:
        generator: whose.
        layers: numbers of the convolutions after which there is one, ascending.
        unit: of the offsets, in deviations of a channel: what one step of an optimiser is to be worth.
        dtype: of the feature maps.
    """

    def __init__(
        self,
        generator: AnyGenerator,
        layers: tuple[int, ...],
        unit: float = 1.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.synthesis, self.layers, self._unit, self._dtype = generator.synthesis, layers, unit, dtype
        for layer, deviation in deviations(generator, layers).items():
            self.register_buffer(f"deviation_{layer}", deviation)

    def shape(self, layer: int) -> tuple[int, int, int]:
        """[C, H, W] of the offset after a layer."""
        return self.synthesis.layer_shape(layer)

    def forward(self, w: Tensor, offsets: Mapping[int, Tensor]) -> Tensor:
        """Images of codes and their offsets.

        Args:
            w: float32 [B, L, D].
            offsets: by layer, float32 [B, C, H, W].

        Returns:
            float32 [B, 3, R, R], nominally in [-1, 1].
        """

        def add(layer: int, maps: Maps) -> Maps:
            return maps.plus(self._scaled(layer, offsets[layer])) if layer in offsets else maps

        begun = self.synthesis.begin(w.shape[0], self._dtype)
        return self.synthesis.image(self.synthesis.through(begun, w, range(len(self.synthesis.layers)), add))

    def faded(self, w: Tensor, origin: Tensor, offsets: Mapping[int, Tensor]) -> Tensor:
        """Images of edited codes, with the offsets as far as they still belong there.

        Args:
            w: float32 [B, L, D].
            origin: likewise, the codes that the offsets were found with.
            offsets: as they were found.
        """
        found: dict[int, Tensor] = {}

        def look(layer: int, maps: Maps) -> Maps:
            if layer not in offsets:
                return maps
            found[layer] = maps.features()
            return maps.plus(self._scaled(layer, offsets[layer]))

        def add(layer: int, maps: Maps) -> Maps:
            if layer not in offsets:
                return maps
            change = (maps.features() - found[layer]) / self._deviation(layer)
            share = torch.exp((change * change).mean(1, keepdim=True) / -TOLERANCE)
            return maps.plus(self._scaled(layer, offsets[layer]) * share)

        begun = self.synthesis.begin(w.shape[0], self._dtype)
        self.synthesis.through(begun, origin, range(self.layers[-1] + 1), look)
        return self.synthesis.image(self.synthesis.through(begun, w, range(len(self.synthesis.layers)), add))

    def _scaled(self, layer: int, offset: Tensor) -> Tensor:
        return offset * (self._deviation(layer) * self._unit)

    def _deviation(self, layer: int) -> Tensor:
        deviation: Tensor = getattr(self, f"deviation_{layer}")
        return deviation


def deviations(generator: AnyGenerator, layers: tuple[int, ...]) -> dict[int, Tensor]:
    """Deviation of each channel of the features after layers, over samples and places: [1, C, 1, 1] each."""
    found: dict[int, Tensor] = {}

    def look(layer: int, maps: Maps) -> Maps:
        if layer in layers:
            found[layer] = maps.features().std((0, 2, 3), keepdim=True).clamp(min=_LEAST_DEVIATION)
        return maps

    random = torch.Generator().manual_seed(_SEED)
    with torch.no_grad():
        w = generator.codes(torch.randn(_SAMPLES, generator.config.z_width, generator=random), 1.0)
        begun = generator.synthesis.begin(_SAMPLES)
        generator.synthesis.through(begun, w, range(layers[-1] + 1), look)
    return {layer: _rounded(deviation) for layer, deviation in found.items()}


def last_layer_of(generator: AnyGenerator, side: int) -> int:
    """The last layer whose features have `side` pixels a side."""
    synthesis = generator.synthesis
    return max(k for k in range(len(synthesis.layers)) if synthesis.layer_shape(k)[1] == side)


def _rounded(deviation: Tensor) -> Tensor:
    size = 10 ** (torch.floor(torch.log10(deviation.double())) - (_DIGITS - 1))
    return (torch.round(deviation.double() / size) * size).float()
