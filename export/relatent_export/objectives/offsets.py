"""Reconstruction by a code and offsets of features: what no code of W+ makes is kept beside the code.

`feature`: w and one offset after layer n.

  ... + weight.offset · mean of offset²

`layered`: w, an offset after layer n, and residuals after all layers before it, which are to stay small
(Bau et al., "Seeing What a GAN Cannot Generate", 2019).

  ... + weight.offset · mean of offset² + weight.residuals · mean of residuals²

Offsets are in units of their channels' deviations, times what one step of the code's size is worth there: so
that one learning rate does for both. Their weights here are for that unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from torch import Tensor

from relatent.core.codes import ORIGIN
from relatent.core.graphs import Role
from relatent.core.spaces import CODE, CodePart, CodeParts
from relatent_export.compile.objective import Tensors
from relatent_export.compile.precision import Precision
from relatent_export.nets.networks import Networks
from relatent_export.nets.offsets import OffsetSynthesis, last_layer_of
from relatent_export.objectives.reconstruction import Compared, Reconstruction

OFFSET, RESIDUALS = "offset", "residuals"

_LARGEST_SIDE = 64
"""Of the features that are offset; a code of 1024 pixels' is 4 MB with it."""
_RIDGE, _SMALL = 1e-3, 1e-2
"""Weights of an offset's mean square and of residuals', in deviations."""


class Offsets(Reconstruction):
    """Reconstruction by `w` [L, D], `offset` [C, H, W] and, with residuals, `residuals` [K].

    Args:
        networks: the pack's.
        offsets: the synthesis with an offset after its last layer, and residuals after the others.
        precision: that images are compared in.
    """

    def __init__(self, networks: Networks, offsets: OffsetSynthesis, precision: Precision) -> None:
        config = networks.generator.config
        weights = {OFFSET: _RIDGE * networks.unit**2}
        if len(offsets.layers) > 1:
            weights[RESIDUALS] = _SMALL * networks.unit**2
        super().__init__(
            offsets, Compared.of(networks, precision), (config.layers, config.latent_width), weights
        )
        self._shapes = offset_shapes(offsets)

    @property
    def variables(self) -> Mapping[str, tuple[int, ...]]:
        """`w`, and the offsets."""
        return {CODE: self.code, **self._shapes}

    def image(self, variables: Tensors) -> Tensor:
        """The image of the code with its offsets."""
        assert isinstance(self.synthesis, OffsetSynthesis)
        image: Tensor = self.synthesis(variables[CODE], by_layer(self.synthesis, variables))
        return image

    def differences(self, variables: Tensors, carried: Tensors, image: Tensor) -> dict[str, Tensor]:
        """`anchor`, and the offsets themselves."""
        offsets = {name: variables[name] for name in self._shapes}
        return {**super().differences(variables, carried, image), **offsets}


def feature_synthesis(networks: Networks, precision: Precision) -> OffsetSynthesis:
    """With one offset: after the last layer of half the image's side, or of 64 pixels."""
    generator = networks.generator
    layer = last_layer_of(generator, min(_LARGEST_SIDE, generator.config.resolution // 2))
    return OffsetSynthesis(generator, (layer,), networks.unit, precision.dtype)


def layered_synthesis(networks: Networks, precision: Precision) -> OffsetSynthesis:
    """With an offset after the last layer of half that side, and residuals after all before it."""
    generator = networks.generator
    layer = last_layer_of(generator, min(_LARGEST_SIDE, generator.config.resolution // 2) // 2)
    return OffsetSynthesis(generator, tuple(range(layer + 1)), networks.unit, precision.dtype)


def feature_objective(networks: Networks, precision: Precision = Precision.FLOAT32) -> Offsets:
    """One offset beside the code."""
    return Offsets(networks, feature_synthesis(networks, precision), precision)


def layered_objective(networks: Networks, precision: Precision = Precision.FLOAT32) -> Offsets:
    """An offset and residuals beside the code."""
    return Offsets(networks, layered_synthesis(networks, precision), precision)


def offset_shapes(synthesis: OffsetSynthesis) -> dict[str, tuple[int, ...]]:
    """Shapes of the variables that the offsets are in."""
    *before, last = synthesis.layers
    shapes: dict[str, tuple[int, ...]] = {OFFSET: synthesis.shape(last)}
    if before:
        shapes[RESIDUALS] = (sum(prod(synthesis.shape(layer)) for layer in before),)
    return shapes


def by_layer(synthesis: OffsetSynthesis, variables: Tensors) -> dict[int, Tensor]:
    """The offsets of variables, by layer."""
    *before, last = synthesis.layers
    offsets, start = {last: variables[OFFSET]}, 0
    for layer in before:
        shape = synthesis.shape(layer)
        part = variables[RESIDUALS][:, start : start + prod(shape)]
        offsets[layer] = part.reshape(-1, *shape)
        start += prod(shape)
    return offsets


def offset_code_parts(networks: Networks, synthesis: OffsetSynthesis, graph: Role) -> CodeParts:
    """What codes with these offsets are made of."""
    config = networks.generator.config
    code = CodePart("float32", (config.layers, config.latent_width))
    offsets = {name: CodePart("float16", shape) for name, shape in offset_shapes(synthesis).items()}
    return CodeParts(graph, {CODE: code, **offsets, ORIGIN: code})
