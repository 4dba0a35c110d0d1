"""Reconstruction in W: one vector for all layers, which is where the mapping network's own codes lie.

What Image2StyleGAN (Abdal et al. 2019) and the StyleGAN2 projector (Karras et al. 2020) call projection.
"""

from __future__ import annotations

import torch
from torch import Tensor

from relatent.core.spaces import CODE
from relatent_export.compile.objective import Tensors
from relatent_export.compile.precision import Precision, synthesis_in
from relatent_export.compile.preconditioning import tied
from relatent_export.compile.step import Bases
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import Compared, Reconstruction


class SingleCode(Reconstruction):
    """Reconstruction by one vector for all layers, `w` [D].

    Args:
        networks: the pack's.
        precision: computed in.
    """

    def __init__(self, networks: Networks, precision: Precision) -> None:
        config = networks.generator.config
        synthesis = synthesis_in(networks.generator.synthesis, precision)
        super().__init__(synthesis, Compared.of(networks, precision), (config.latent_width,))
        self._layers = config.layers

    def image(self, variables: Tensors) -> Tensor:
        """The image of the vector, taken for every layer."""
        w = variables[CODE][:, None, :]
        return self.synthesis(torch.cat([w] * self._layers, dim=1))


def single_code_objective(networks: Networks, precision: Precision = Precision.FLOAT32) -> SingleCode:
    """The objective of a pack's networks, computed in a precision."""
    return SingleCode(networks, precision)


def single_code_bases(networks: Networks) -> Bases:
    """The coordinates of W that those of W+ imply."""
    if networks.coordinates is None:
        return {}
    return {CODE: tied(networks.coordinates, networks.generator.config.layers)}
