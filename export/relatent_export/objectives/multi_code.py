"""Reconstruction by several codes, blended at a layer by weights for each channel (mGANprior).

Gu et al., "Image Processing Using Multi-Code GAN Prior" (2020). The first code starts where the inversion
starts, the others at samples, and the weights at the first code alone: the first image is the start's.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from relatent.core.graphs import Role
from relatent.core.spaces import CODE, CodePart, CodeParts
from relatent_export.compile.objective import Tensors
from relatent_export.compile.precision import Precision
from relatent_export.nets.blending import BlendedSynthesis
from relatent_export.nets.networks import Networks
from relatent_export.nets.offsets import last_layer_of
from relatent_export.objectives.reconstruction import Compared, Reconstruction

WEIGHTS = "weights"
CODES = 10
"""As published for reconstruction: more bring little."""

_SIDE = 16
"""Of the features that are blended, in pixels."""


class MultiCode(Reconstruction):
    """Reconstruction by `w` [N, L, D] and `weights` [N, C].

    Args:
        networks: the pack's.
        blended: the synthesis of N codes.
        precision: that images are compared in.
    """

    def __init__(self, networks: Networks, blended: BlendedSynthesis, precision: Precision) -> None:
        config = networks.generator.config
        code = (blended.codes, config.layers, config.latent_width)
        super().__init__(blended, Compared.of(networks, precision), code)
        self._weights = (blended.codes, blended.channels)

    @property
    def variables(self) -> Mapping[str, tuple[int, ...]]:
        """`w` and `weights`."""
        return {CODE: self.code, WEIGHTS: self._weights}

    def image(self, variables: Tensors) -> Tensor:
        """The image of the codes, blended."""
        return self.synthesis(variables[CODE], variables[WEIGHTS])


def multi_code_synthesis(
    networks: Networks, precision: Precision = Precision.FLOAT32, codes: int = CODES
) -> BlendedSynthesis:
    """Of so many codes, blended after the last layer of 16 pixels, or of half the image's side."""
    generator = networks.generator
    layer = last_layer_of(generator, min(_SIDE, generator.config.resolution // 2))
    return BlendedSynthesis(generator, codes, layer, networks.unit, precision.dtype)


def multi_code_objective(networks: Networks, precision: Precision = Precision.FLOAT32) -> MultiCode:
    """The objective of a pack's networks, computed in a precision."""
    return MultiCode(networks, multi_code_synthesis(networks, precision), precision)


def multi_code_parts(networks: Networks) -> CodeParts:
    """What codes are made of."""
    config, blended = networks.generator.config, multi_code_synthesis(networks)
    parts = {
        CODE: CodePart("float32", (CODES, config.layers, config.latent_width)),
        WEIGHTS: CodePart("float32", (CODES, blended.channels)),
    }
    return CodeParts(Role.SYNTHESIZE_MULTI, parts)
