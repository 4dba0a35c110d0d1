"""In-domain inversion: reconstruction by a code whose image the encoder would read the same.

  ... + weight.domain · mean of (w - E(G(w)))²

The encoder E is in the graph and is propagated through. It pulls the code to where encoder and generator
agree, which is where the generator was trained. Zhu et al., "In-Domain GAN Inversion for Real Image Editing"
(2020); by an encoder that was trained against a discriminator of codes, Leng et al., "Force-in-Domain GAN
Inversion" (2021).
"""

from __future__ import annotations

from torch import Tensor

from relatent.core.spaces import CODE
from relatent_export.compile.objective import Tensors
from relatent_export.compile.precision import Precision, in_precision, synthesis_in
from relatent_export.nets.networks import AnyEncoder, Networks, encode
from relatent_export.objectives.reconstruction import Compared, Reconstruction

DOMAIN_WEIGHT = 1e-3
"""Of the domain's term."""


class InDomainObjective(Reconstruction):
    """Reconstruction with an encoder's opinion of the code.

    Args:
        networks: the pack's.
        encoder: whose opinion.
        precision: computed in.
    """

    def __init__(self, networks: Networks, encoder: AnyEncoder, precision: Precision) -> None:
        config = networks.generator.config
        super().__init__(
            synthesis_in(networks.generator.synthesis, precision),
            Compared.of(networks, precision),
            (config.layers, config.latent_width),
            {"domain": DOMAIN_WEIGHT},
        )
        self.encoder = in_precision(encoder, precision)

    def differences(self, variables: Tensors, carried: Tensors, image: Tensor) -> dict[str, Tensor]:
        """`anchor`, and `domain`: w - E(G(w))."""
        again = encode(self.encoder, self.synthesis, image)
        return {**super().differences(variables, carried, image), "domain": variables[CODE] - again}


def in_domain_objective(networks: Networks, precision: Precision = Precision.FLOAT32) -> InDomainObjective:
    """With the pack's encoder."""
    assert networks.encoder is not None
    return InDomainObjective(networks, networks.encoder, precision)


def forced_objective(networks: Networks, precision: Precision = Precision.FLOAT32) -> InDomainObjective:
    """With the encoder that was trained against a discriminator of codes."""
    assert networks.forced_encoder is not None
    return InDomainObjective(networks, networks.forced_encoder, precision)
