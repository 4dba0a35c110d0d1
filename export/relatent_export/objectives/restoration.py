"""Restoration: make what was done to the given image, done to the generator's, give the given image.

    weight.pixel      · mean over the mask of (A G(w) - x)², pixels in [0, 1]
  + weight.perceptual · perceptual distance of A G(w) and x, where the mask allows; if there are features
  + weight.anchor     · mean of (w - start)²
  + weight.prior      · mean over layers of how far w is from the generator's own codes, squared

A mixes colours and resamples rows and columns (`relatent.core.degradation`), which are inputs: images that
were degraded in different ways share a batch, and with the inputs' defaults A does nothing. That the
generator makes only whole images fills in what A loses: Menon et al., "PULSE" (2020), for resolution; Gu et
al., "Image Processing Using Multi-Code GAN Prior" (2020), for colours, resolution and masks.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from relatent.core.degradation import COLOUR, COLUMNS, ROWS
from relatent.core.spaces import CODE
from relatent_export.compile.objective import Condition, Tensors
from relatent_export.compile.precision import Precision, synthesis_in
from relatent_export.nets.code_prior import CodePrior
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import Compared, Reconstruction

PRIOR = "prior"
PRIOR_WEIGHT = 1e-2
"""Of the term that says what A loses; without it, that part of the image goes astray in a few steps."""


class RestorationObjective(Reconstruction):
    """Reconstruction of what A leaves of the image.

    Args:
        networks: the pack's.
        precision: computed in; the prior in float32.
    """

    def __init__(self, networks: Networks, precision: Precision) -> None:
        config = networks.generator.config
        super().__init__(
            synthesis_in(networks.generator.synthesis, precision),
            Compared.of(networks, precision),
            (config.layers, config.latent_width),
            {PRIOR: PRIOR_WEIGHT},
        )
        self.prior = CodePrior(networks.generator)

    def differences(self, variables: Tensors, carried: Tensors, image: Tensor) -> dict[str, Tensor]:
        """`anchor`, and `prior`: w in units of the generator's own codes, from their mean."""
        return {**super().differences(variables, carried, image), PRIOR: self.prior(variables[CODE])}

    @property
    def conditions(self) -> Mapping[str, Condition]:
        """Reconstruction's, and A: `colour` [3, 3], `rows` and `columns` [S, S], each less the identity."""
        along = Condition(torch.float32, (self._size, self._size))
        return {
            **super().conditions,
            COLOUR: Condition(torch.float32, (3, 3)),
            ROWS: along,
            COLUMNS: along,
        }

    def prepare(self, conditions: Tensors) -> dict[str, Tensor]:
        """Reconstruction's, and A's matrices."""
        along = torch.eye(self._size)
        return {
            **super().prepare(conditions),
            COLOUR: conditions[COLOUR] + torch.eye(3),
            ROWS: conditions[ROWS] + along,
            COLUMNS: conditions[COLUMNS] + along,
        }

    def seen(self, image: Tensor, prepared: Tensors) -> Tensor:
        """A of what reconstruction sees."""
        # A is linear in pixels that are 0 where they are black.
        light = super().seen(image, prepared) + 1
        batch, colours, size, _ = light.shape
        mixed = (prepared[COLOUR] @ light.flatten(2)).reshape(batch, colours, size, size)
        return prepared[ROWS][:, None] @ mixed @ prepared[COLUMNS].transpose(1, 2)[:, None] - 1


def restoration_objective(
    networks: Networks, precision: Precision = Precision.FLOAT32
) -> RestorationObjective:
    """The objective of a pack's networks, computed in a precision."""
    return RestorationObjective(networks, precision)
