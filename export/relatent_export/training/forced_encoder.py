"""Training an encoder on so that its codes come to lie where mapped random vectors do.

Published in Leng et al., "Force-in-Domain GAN Inversion" (2021): an in-domain encoder's codes can lie far
from those that the mapping network makes, however well their images look; so a discriminator of codes joins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.discriminator import Discriminator
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.latent_discriminator import LatentDiscriminator
from relatent_export.nets.stylegan2 import Generator
from relatent_export.training.checkpoint import (
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
)
from relatent_export.training.encoder import EncoderSettings, EncoderTraining

_PENALISE_EVERY = 4
"""Steps of the latent discriminator between two with its R1 penalty, which then is as many times as large."""

_MEASURED = 10_000
"""Random vectors from which the mapped codes' spread is measured."""


@dataclass(frozen=True)
class ForcingSettings:
    """How the latent discriminator is trained, and how loud it is.

    Attributes:
        weight: of its term in the encoder's loss.
        rate: its Adam step size.
        r1_weight: gamma of its R1 penalty (Mescheder et al. 2018), on codes in units of mapped
            ones' deviation.
        steps: of the latent discriminator for each of the encoder's.
        batch: codes of either kind in each of them.
        history: the encoder's latest codes, from which those are picked (Shrivastava et al. 2017): a few of
            one step alone say too little of where its codes lie.
    """

    weight: float = 0.03
    rate: float = 1e-3
    r1_weight: float = 0.1
    steps: int = 4
    batch: int = 64
    history: int = 1_024


class ForcedEncoderTraining(EncoderTraining):
    """One run in progress: an encoder's, with a discriminator of codes that is trained beside it.

    Args:
        encoder: trained on.
        generator: whose mapping makes the codes that the encoder's are to be like.
        perceptual: what compares images.
        discriminator: of images; None: without that term.
        settings: of the terms that every encoder's training has.
        forcing: of the further one.
    """

    def __init__(
        self,
        encoder: Encoder,
        generator: Generator,
        perceptual: AttributeNetwork,
        discriminator: Discriminator | None,
        settings: EncoderSettings,
        forcing: ForcingSettings,
    ) -> None:
        super().__init__(encoder, generator.synthesis, perceptual, discriminator, settings)
        self.generator, self.forcing = generator.requires_grad_(False), forcing
        mean = generator.mapping.mean
        spread = torch.Generator().manual_seed(settings.seed)
        mapped = generator.mapping(torch.randn(_MEASURED, generator.config.z_width, generator=spread))
        deviation = float((mapped - mean).square().mean().sqrt())
        self.latent_discriminator = LatentDiscriminator(encoder.layers, encoder.width, mean, deviation)
        self.latent_adam = torch.optim.Adam(self.latent_discriminator.parameters(), forcing.rate, (0.0, 0.99))

        self.history = torch.empty(0, encoder.layers, encoder.width)

    def state(self) -> dict[str, Tensor]:
        """The tensors of networks, optimisers and random state."""
        return {
            **super().state(),
            **module_tensors("latent_discriminator", self.latent_discriminator),
            **optimizer_tensors("latent_adam", self.latent_adam),
            "history": self.history,
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        super().restore(tensors)
        load_module("latent_discriminator", self.latent_discriminator, tensors)
        load_optimizer("latent_adam", self.latent_adam, tensors)
        self.history = tensors["history"]

    def more_terms(self, codes: Tensor) -> dict[str, Tensor]:
        """Train the latent discriminator a few steps, then give the encoder's non-saturating term against it.

        softplus(-D(w)), the logistic loss of Goodfellow et al. (2014), for the encoder;
        softplus(-D(mapped)) + softplus(D(w)) and R1 for D.

        Args:
            codes: float32 [B, L, D], the encoder's of this step's real images.
        """
        self.history = torch.cat([self.history, codes.detach()])[-self.forcing.history :]
        self.latent_discriminator.requires_grad_(True)
        for step in range(self.forcing.steps):
            self._discriminate(penalise=step % _PENALISE_EVERY == 0)
        self.latent_discriminator.requires_grad_(False)
        deceit = F.softplus(-self.latent_discriminator(codes)).mean()
        return {"forced": self.forcing.weight * deceit}

    def _discriminate(self, *, penalise: bool) -> None:
        """One step of the latent discriminator, between mapped codes and the encoder's."""
        discriminator, forcing = self.latent_discriminator, self.forcing
        z = torch.randn(forcing.batch, self.generator.config.z_width, generator=self.random)
        mapped = self.generator.broadcast(self.generator.mapping(z))
        picks = torch.randint(len(self.history), (forcing.batch,), generator=self.random)
        leaf = mapped.clone().requires_grad_(penalise)
        logits = discriminator(leaf)
        loss = F.softplus(-logits).mean() + F.softplus(discriminator(self.history[picks])).mean()
        if penalise:
            (gradient,) = torch.autograd.grad(logits.sum(), leaf, create_graph=True)
            steepness = (gradient * discriminator.deviation).square().sum(2).mean()
            loss = loss + steepness * (forcing.r1_weight / 2 * _PENALISE_EVERY)
        self.latent_adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.latent_adam.step()
