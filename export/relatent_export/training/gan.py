"""Adversarial training of a StyleGAN2: non-saturating loss, lazy R1, style mixing, EMA.

Published in Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), and,
for the settings at small sizes, "Training Generative Adversarial Networks with Limited Data"
(2020).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from relatent_export.nets.discriminator import Discriminator
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.training.checkpoint import (
    load_module,
    load_optimizer,
    load_state,
    module_tensors,
    optimizer_tensors,
    save_state,
)
from relatent_export.training.schedule import late_decay, locate


@dataclass(frozen=True)
class GanRound:
    """A stretch of the run with settings of its own.

    Attributes:
        images: drawings shown to the discriminator in this round.
        r1_weight: gamma of the R1 penalty.
        decay_from: share of the round after which the learning rate falls, linearly to a tenth.
    """

    images: int
    r1_weight: float
    decay_from: float = 0.6


@dataclass(frozen=True)
class GanSettings:
    """How to train.

    Attributes:
        rounds: one after another. A strong penalty finds the large shapes safely; a weak one then
            lets the discriminator insist on small ones.
        batch: drawings a step; a multiple of the minibatch deviation's group of 4.
        learning_rate: Adam's at the start of each round, for both networks.
        r1_every: steps between two R1 penalties.
        mixing: probability that a batch's codes are mixed of two each, at a random layer.
        ema_images: half-life of the averaged generator, in images. Short: the average of many
            generators varies less than each of them.
        head_start: drawings that the discriminator alone learns from at first. Without it, a new one never
            learns what a good generator's images lack: whatever it finds, the generator undoes at once.
        seed: of weights, data order and latents.
    """

    rounds: tuple[GanRound, ...] = (
        GanRound(200_000, r1_weight=0.3),
        GanRound(80_000, r1_weight=0.05),
        GanRound(120_000, r1_weight=0.02),
        GanRound(30_000, r1_weight=0.02, decay_from=0.0),
    )
    batch: int = 16
    learning_rate: float = 2.5e-3
    r1_every: int = 16
    mixing: float = 0.8
    ema_images: float = 1_000.0
    head_start: int = 0
    seed: int = 1

    @property
    def images(self) -> int:
        """Drawings shown to the discriminator in all."""
        return sum(stretch.images for stretch in self.rounds)


class GanTraining:
    """One run in progress; owns networks, optimisers, random state and the image count."""

    def __init__(
        self, config: GeneratorConfig, settings: GanSettings, dtype: torch.dtype = torch.bfloat16
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.dtype = settings, dtype
        self.generator = Generator(config)
        self.discriminator = Discriminator(config.channels)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        rate, every = settings.learning_rate, settings.r1_every
        # Lazy regularisation: the discriminator takes (every + 1) / every as many steps (2020, B).
        lazy = every / (every + 1)
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), rate, (0.0, 0.99))
        self.discriminator_adam = torch.optim.Adam(
            self.discriminator.parameters(), rate * lazy, (0.0, 0.99**lazy)
        )
        self.random = torch.Generator().manual_seed(settings.seed)
        self.images, self.seconds = 0, 0.0

    def start_from(self, generator: Generator) -> None:
        """Begin with a trained generator's weights; the discriminator begins with none.

        Args:
            generator: of the run's own shape.
        """
        for own in (self.generator, self.average):
            own.load_state_dict(generator.state_dict())

    def run(self, data: Tensor) -> Iterator[dict[str, float]]:
        """Train to the end of the run.

        Args:
            data: uint8 [N, 3, R, R], the drawings.

        Yields:
            After each step: the images seen and both losses; the generator's alone where it made a step.
        """
        while self.images < self.settings.images:
            started = time.monotonic()
            self._schedule()
            picks = torch.randint(len(data), (self.settings.batch,), generator=self.random)
            real = data[picks].float() / 127.5 - 1
            losses = {"discriminator": self._step_discriminator(real)}
            if (self.images // self.settings.batch) % self.settings.r1_every == 0:
                self._penalise_gradient(real)
            if self.images >= self.settings.head_start:
                losses["generator"] = self._step_generator()
            self.images += self.settings.batch
            self._update_average()
            self.seconds += time.monotonic() - started
            yield {"images": self.images, **losses}

    def save(self, path: Path) -> None:
        """Write everything needed to go on."""
        tensors = {
            **module_tensors("generator", self.generator),
            **module_tensors("discriminator", self.discriminator),
            **module_tensors("average", self.average),
            **optimizer_tensors("generator_adam", self.generator_adam),
            **optimizer_tensors("discriminator_adam", self.discriminator_adam),
            "random": self.random.get_state(),
        }
        save_state(path, tensors, {"images": self.images, "seconds": self.seconds})

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        tensors, facts = load_state(path)
        load_module("generator", self.generator, tensors)
        load_module("discriminator", self.discriminator, tensors)
        load_module("average", self.average, tensors)
        load_optimizer("generator_adam", self.generator_adam, tensors)
        load_optimizer("discriminator_adam", self.discriminator_adam, tensors)
        self.random.set_state(tensors["random"])
        self.images, self.seconds = facts["images"], facts["seconds"]

    @torch.no_grad()
    def measure_mean(self, count: int = 20_000) -> None:
        """Set the averaged generator's mean latent from random vectors."""
        z = torch.randn(count, self.average.config.latent_width, generator=torch.Generator().manual_seed(0))
        self.average.mapping.mean.copy_(self.average.mapping(z).mean(0))

    def _schedule(self) -> None:
        stretch, progress = locate(self.settings.rounds, self.images)
        rate = self.settings.learning_rate * late_decay(progress, stretch.decay_from, lowest=0.1)
        every = self.settings.r1_every
        self.generator_adam.param_groups[0]["lr"] = rate
        self.discriminator_adam.param_groups[0]["lr"] = rate * every / (every + 1)

    def _fake(self) -> Tensor:
        settings, config = self.settings, self.generator.config
        z = torch.randn(2, settings.batch, config.latent_width, generator=self.random)
        w = self.generator.broadcast(self.generator.mapping(z[0]))
        if torch.rand((), generator=self.random) < settings.mixing:
            crossover = int(torch.randint(1, config.layers, (), generator=self.random))
            other = self.generator.broadcast(self.generator.mapping(z[1]))
            w = torch.cat([w[:, :crossover], other[:, crossover:]], 1)
        image: Tensor = self.generator.synthesis(w, self.dtype)
        return image

    def _step_discriminator(self, real: Tensor) -> float:
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            fake = self._fake()
        loss = (
            F.softplus(-self.discriminator(real, self.dtype)).mean()
            + F.softplus(self.discriminator(fake, self.dtype)).mean()
        )
        _descend(self.discriminator_adam, loss)
        return loss.item()

    def _penalise_gradient(self, real: Tensor) -> None:
        """R1 (Mescheder et al. 2018): the squared gradient of the logits at real images."""
        real = real.clone().requires_grad_(True)
        logits = self.discriminator(real, self.dtype).sum()
        (gradient,) = torch.autograd.grad(logits, real, create_graph=True)
        penalty = gradient.square().sum((1, 2, 3)).mean()
        stretch, _ = locate(self.settings.rounds, self.images)
        _descend(self.discriminator_adam, penalty * (stretch.r1_weight / 2 * self.settings.r1_every))

    def _step_generator(self) -> float:
        self.discriminator.requires_grad_(False)
        loss = F.softplus(-self.discriminator(self._fake(), self.dtype)).mean()
        _descend(self.generator_adam, loss)
        return loss.item()

    @torch.no_grad()
    def _update_average(self) -> None:
        half_life = min(self.settings.ema_images, max(500.0, self.images * 0.05))
        keep = 0.5 ** (self.settings.batch / half_life)
        for mean, parameter in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(parameter, 1 - keep)


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
