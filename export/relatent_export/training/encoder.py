"""In-domain training of an encoder: real images in, the generator's images judged in image space.

Published in Zhu et al., "In-Domain GAN Inversion for Real Image Editing" (2020), with e4e's
penalty on the layers' offsets (Tov et al. 2021).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.discriminator import Discriminator
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.perceptual import normalize_features, perceptual_distance
from relatent_export.nets.stylegan2 import Synthesis
from relatent_export.training.checkpoint import (
    load_module,
    load_optimizer,
    load_state,
    module_tensors,
    optimizer_tensors,
    save_state,
)
from relatent_export.training.schedule import late_decay, locate, warm_up

_LAYOUT = torch.channels_last
"""What bfloat16 convolutions are a third faster in."""

_WARM = 0.025
"""Share of a round in which the step size rises."""


@dataclass(frozen=True)
class EncoderRound:
    """A stretch of the run with settings of its own.

    Attributes:
        images: images seen in this round.
        of: how many different ones, the first of the data: once coarse things are learnt, seeing
            the same ones again teaches little about others.
        learning_rate: Adam's from a short warm-up to `decay_from`, a share of the round; then it
            falls to zero.
    """

    images: int
    of: int
    learning_rate: float
    decay_from: float


@dataclass(frozen=True)
class EncoderSettings:
    """How to train.

    Attributes:
        rounds: one after another.
        batch: drawings a step; a multiple of 4.
        perceptual, adversarial, offset: weights of the terms; the pixel term's is 1, on [-1, 1]
            pixels.
        judge_every: steps between two of the discriminator; only then does the encoder hear from
            it, as many times as loud.
        judge_rate: the discriminator's Adam step size.
        r1_weight: gamma of its R1 penalty, applied at every fourth of its steps.
        average: decay of the averaged encoder, a step.
        seed: of weights and data order.
    """

    rounds: tuple[EncoderRound, ...] = (EncoderRound(336_000, of=50_000, learning_rate=1e-3, decay_from=0.5),)
    batch: int = 16
    perceptual: float = 0.5
    adversarial: float = 0.01
    offset: float = 1e-3
    judge_every: int = 4
    judge_rate: float = 1e-3
    r1_weight: float = 0.3
    average: float = 0.999
    seed: int = 3

    @property
    def images(self) -> int:
        """Drawings seen in all."""
        return sum(stretch.images for stretch in self.rounds)


class EncoderTraining:
    """One run in progress; owns encoder, discriminator, optimisers, random state and the count.

    Without a discriminator of images the encoder is trained without the adversarial term.
    """

    def __init__(
        self,
        encoder: Encoder,
        synthesis: Synthesis,
        perceptual: AttributeNetwork,
        discriminator: Discriminator | None,
        settings: EncoderSettings,
    ) -> None:
        self.settings = settings
        for network in (encoder, perceptual):
            _lay_out(network)
        self.encoder = encoder
        self.average = copy.deepcopy(encoder).eval().requires_grad_(False)
        self.synthesis = synthesis.requires_grad_(False)
        self.perceptual = perceptual.requires_grad_(False)
        self.adam = torch.optim.Adam(encoder.parameters(), betas=(0.9, 0.99))
        self.discriminator = discriminator
        if discriminator is not None:
            self.judge_adam = torch.optim.Adam(discriminator.parameters(), settings.judge_rate, (0.0, 0.99))
        self.random = torch.Generator().manual_seed(settings.seed)
        self.images, self.seconds = 0, 0.0

    def run(self, data: Tensor) -> Iterator[dict[str, float]]:
        """Train to the end of the run.

        Args:
            data: uint8 [N, 3, R, R], real images, as many as any round asks for.

        Yields:
            After each step: the images seen and the terms of the loss.
        """
        settings = self.settings
        while self.images < settings.images:
            started = time.monotonic()
            stretch, progress = locate(settings.rounds, self.images)
            rate = warm_up(progress, _WARM) * late_decay(progress, stretch.decay_from, lowest=0.0)
            self.adam.param_groups[0]["lr"] = stretch.learning_rate * rate
            picks = torch.randint(stretch.of, (settings.batch,), generator=self.random)
            real = (data[picks].float() / 127.5 - 1).contiguous(memory_format=_LAYOUT)
            step = self.images // settings.batch
            judge = self.discriminator if step % settings.judge_every == 0 else None
            terms, fake = self._step(real, judge)
            if judge is not None:
                self._judge(judge, real, fake, penalise=step % (4 * settings.judge_every) == 0)
            self.images += settings.batch
            self.seconds += time.monotonic() - started
            yield {"images": self.images, **terms}

    def save(self, path: Path) -> None:
        """Write everything needed to go on."""
        save_state(path, self.state(), {"images": self.images, "seconds": self.seconds})

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        tensors, facts = load_state(path)
        self.restore(tensors)
        self.images, self.seconds = facts["images"], facts["seconds"]

    def state(self) -> dict[str, Tensor]:
        """The tensors of networks, optimisers and random state."""
        tensors = {
            **module_tensors("encoder", self.encoder),
            **module_tensors("average", self.average),
            **optimizer_tensors("adam", self.adam),
            "random": self.random.get_state(),
        }
        if self.discriminator is not None:
            tensors |= module_tensors("discriminator", self.discriminator)
            tensors |= optimizer_tensors("judge_adam", self.judge_adam)
        return tensors

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        load_module("encoder", self.encoder, tensors)
        load_module("average", self.average, tensors)
        load_optimizer("adam", self.adam, tensors)
        self.random.set_state(tensors["random"])
        if self.discriminator is not None:
            load_module("discriminator", self.discriminator, tensors)
            load_optimizer("judge_adam", self.judge_adam, tensors)

    def more_terms(self, codes: Tensor) -> dict[str, Tensor]:
        """Further terms of the loss, weighted; none here.

        Args:
            codes: float32 [B, L, D], the encoder's of this step's real images.
        """
        return {}

    def _step(self, real: Tensor, judge: Discriminator | None) -> tuple[dict[str, float], Tensor]:
        settings = self.settings
        with torch.autocast("cpu", torch.bfloat16):
            base, offsets = self.encoder.split(real)
        codes = base[:, None, :] + offsets
        fake = self.synthesis(codes, torch.bfloat16)
        with torch.autocast("cpu", torch.bfloat16):
            ours = self.perceptual.features(fake)
            with torch.no_grad():
                theirs = self.perceptual.features(real)
        pixel = F.mse_loss(fake, real)
        distance = perceptual_distance(
            normalize_features([x.float() for x in ours]), normalize_features([x.float() for x in theirs])
        ).mean()
        loss = pixel + settings.perceptual * distance + settings.offset * (offsets * offsets).mean()
        if judge is not None:
            judge.requires_grad_(False)
            deceit = F.softplus(-judge(fake, torch.bfloat16)).mean()
            loss = loss + settings.adversarial * settings.judge_every * deceit
        more = self.more_terms(codes)
        for term in more.values():
            loss = loss + term
        self.adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        with torch.no_grad():
            for mean, parameter in zip(self.average.parameters(), self.encoder.parameters(), strict=True):
                mean.lerp_(parameter, 1 - settings.average)
        terms = {"pixel": pixel, "perceptual": distance, **more}
        return {name: term.item() for name, term in terms.items()}, fake.detach()

    def _judge(self, judge: Discriminator, real: Tensor, fake: Tensor, *, penalise: bool) -> None:
        """One step of the discriminator, between real images and their reconstructions."""
        judge.requires_grad_(True)
        loss = (
            F.softplus(-judge(real, torch.bfloat16)).mean() + F.softplus(judge(fake, torch.bfloat16)).mean()
        )
        if penalise:
            leaf = real.clone().requires_grad_(True)
            logits = judge(leaf, torch.bfloat16).sum()
            (gradient,) = torch.autograd.grad(logits, leaf, create_graph=True)
            loss = loss + gradient.square().sum((1, 2, 3)).mean() * (self.settings.r1_weight / 2 * 4)
        self.judge_adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.judge_adam.step()


def _lay_out(network: nn.Module) -> None:
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=_LAYOUT)
