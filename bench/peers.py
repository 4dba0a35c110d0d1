"""Two published projectors as they are run: eager PyTorch and Adam on the code's own numbers.

`idinvert_style` (Zhu et al., "In-Domain GAN Inversion", 2020) starts at the encoder's code, for 100 steps:

    pixel · mean((x - G(w))²) + perceptual · distance(x, G(w)) + domain · mean((w - E(G(w)))²)

`image2stylegan_style` (Abdal et al., "Image2StyleGAN", 2019, with the schedule of StyleGAN2's projector, as
its ports have it) starts at the mean latent, for 1,000 steps, without the last term: the learning rate rises
over the first twentieth and falls over the last quarter, and noise is added to the code that dies out over
the first three quarters.

Pixels are in [-1, 1] here, as they have them. Their perceptual distances, of VGG16, are replaced by the
pack's. The weight that idinvert gives VGG's unscaled features says nothing of those; the distance counts as
much, in proportion to pixels, as in the pack's own method. What both waste is left out: networks are frozen,
and the target's features computed once. The synthesis is the published form (`bench.published`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor

from bench.published import PublishedSynthesis
from relatent.core.methods import StartRule
from relatent_export.analysis.refining import Floats
from relatent_export.demo.world import demo_parts
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.networks import Networks
from relatent_export.nets.perceptual import perceptual_distance
from relatent_export.nets.stylegan2 import Synthesis

RAMP_UP, RAMP_DOWN, NOISE_RAMP = 0.05, 0.25, 0.75
"""Of a ramped schedule: the shares over which the rate rises and falls, and over which noise dies out."""
_DEVIATION_SAMPLES, _DEVIATION_SEED = 10_000, 0


@dataclass(frozen=True)
class PeerSettings:
    """A projector's numbers.

    Attributes:
        start: at the encoder's code or at the mean latent.
        rate: Adam's step size, in units of the code.
        weights: of the terms `pixel`, `perceptual` and `domain`; one that is missing is not computed.
        schedule: the steps it is meant to take.
        most: the steps it may take in all.
        noise: added to every number of the code at first, as a share of `PeerNetworks.deviation`.
        ramped: whether rate and noise change over the schedule, which then cannot be gone beyond.
    """

    start: StartRule
    rate: float
    weights: Mapping[str, float]
    schedule: int
    most: int
    noise: float = 0.0
    ramped: bool = False

    def __post_init__(self) -> None:
        if self.ramped and self.most > self.schedule:
            raise ValueError(f"most: expected at most the schedule's {self.schedule}, got {self.most}")

    def rate_at(self, step: int) -> float:
        """Adam's step size in a step, counted from 0."""
        if not self.ramped:
            return self.rate
        done = step / self.schedule
        falling = min(1.0, (1 - done) / RAMP_DOWN)
        return self.rate * min(1.0, done / RAMP_UP) * (0.5 - 0.5 * math.cos(math.pi * falling))

    def noise_at(self, step: int) -> float:
        """The noise in a step, as a share of the deviation."""
        return self.noise * max(0.0, 1 - step / self.schedule / NOISE_RAMP) ** 2

    def as_json(self) -> dict[str, Any]:
        """The same, for a report."""
        return asdict(self) | {"weights": dict(self.weights)}


@dataclass(frozen=True)
class Peer:
    """A projector, and what else to try in its favour.

    Attributes:
        name: of it, for a report.
        published: its published settings.
        swept: other settings, of which the best on other images count, too.
        sweep_steps: what each of those may take there at most.
    """

    name: str
    published: PeerSettings
    swept: Sequence[PeerSettings]
    sweep_steps: int


def idinvert_style() -> Peer:
    """In-domain inversion: published settings, continued to 1,000 steps; swept in rate and domain weight.

    The settings that are swept give pixels and perceptual distance equal weights, which is faster.
    """

    def settings(rate: float, perceptual: float, domain: float) -> PeerSettings:
        weights = {"pixel": 1.0, "perceptual": perceptual, "domain": domain}
        return PeerSettings(StartRule.ENCODER, rate, weights, schedule=100, most=1_000)

    tried = product((0.08, 0.04, 0.15), (0.002, 0.02, 0.0002))
    swept = [settings(rate, 1.0, domain) for rate, domain in tried]
    return Peer("idinvert_style", settings(0.01, 0.4, 2.0), swept, sweep_steps=400)


def image2stylegan_style() -> Peer:
    """Image2StyleGAN: published settings; swept in rate, over all and half the schedule, without noise."""

    def settings(schedule: int, rate: float, noise: float) -> PeerSettings:
        weights = {"pixel": 1.0, "perceptual": 1.0}
        return PeerSettings(StartRule.MEAN, rate, weights, schedule, schedule, noise, ramped=True)

    swept = [settings(schedule, rate, 0.0) for schedule, rate in product((500, 1_000), (0.2, 0.1, 0.4))]
    return Peer("image2stylegan_style", settings(1_000, 0.1, 0.05), swept, sweep_steps=1_000)


@dataclass(frozen=True)
class PeerNetworks:
    """What projectors run, frozen.

    Attributes:
        synthesis: codes [B, L, D] to images [B, 3, R, R] in [-1, 1].
        encoder: images to codes.
        perceptual: the network whose features are compared.
        mean: the mean latent, [L, D].
        deviation: how far samples' W codes are from their mean: the root of the mean squared distance.
    """

    synthesis: PublishedSynthesis | Synthesis
    encoder: Encoder
    perceptual: AttributeNetwork
    mean: Tensor
    deviation: float

    @classmethod
    def of(cls, networks: Networks) -> PeerNetworks:
        """Those of a pack that was trained here, the synthesis in its published form."""
        parts = demo_parts(networks)
        generator = parts.generator
        random = torch.Generator().manual_seed(_DEVIATION_SEED)
        with torch.no_grad():
            w = generator.mapping(torch.randn(_DEVIATION_SAMPLES, generator.config.z_width, generator=random))
            deviation = float((w - w.mean(0)).square().sum(1).mean().sqrt())
        synthesis = PublishedSynthesis(generator.synthesis)
        return cls(synthesis, parts.encoder, parts.attributes, generator.mean_code(), deviation)

    def counting(self) -> PeerNetworks:
        """With the weights' own synthesis, which makes the same images sooner."""
        assert isinstance(self.synthesis, PublishedSynthesis)
        return replace(self, synthesis=self.synthesis.weights)


class PeerRun:
    """One batch under way. Samples share nothing: each has its own loss and its own noise.

    Args:
        networks: of the pack.
        settings: the projector's.
        target: float32 [B, 3, R, R] in [-1, 1].
    """

    def __init__(self, networks: PeerNetworks, settings: PeerSettings, target: Tensor) -> None:
        self.settings, self.steps = settings, 0
        self._networks, self._target = networks, target
        with torch.no_grad():
            self._features = networks.perceptual.compared(target)
            if settings.start is StartRule.ENCODER:
                start = networks.encoder(target)
            else:
                start = networks.mean.repeat(len(target), 1, 1)
        self._code: Tensor = start.clone().requires_grad_()
        self._optimiser = torch.optim.Adam([self._code], lr=settings.rate)
        self._random = [torch.Generator().manual_seed(seed) for seed in range(len(target))]

    @property
    def codes(self) -> Floats:
        """The codes as they are now, without noise, [B, L, D]."""
        codes: Floats = self._code.detach().numpy().copy()
        return codes

    def advance(self, steps: int) -> None:
        """Do so many steps."""
        if self.steps + steps > self.settings.most:
            raise ValueError(f"steps: expected {self.settings.most} in all, got {self.steps + steps}")
        for _ in range(steps):
            for group in self._optimiser.param_groups:
                group["lr"] = self.settings.rate_at(self.steps)
            loss = self._losses(self._noised()).sum()
            self._optimiser.zero_grad()
            loss.backward(inputs=[self._code])  # type: ignore[no-untyped-call]
            self._optimiser.step()
            self.steps += 1

    def _noised(self) -> Tensor:
        """The codes with the step's noise, [B, L, D]."""
        amount = self.settings.noise_at(self.steps) * self._networks.deviation
        if not amount:
            return self._code
        drawn = [torch.randn(self._code.shape[1:], generator=random) for random in self._random]
        return self._code + amount * torch.stack(drawn)

    def _losses(self, code: Tensor) -> Tensor:
        """The loss of each sample, [B]."""
        networks, weights = self._networks, self.settings.weights
        image = networks.synthesis(code)
        distance = perceptual_distance(
            networks.perceptual.compared(image), self._features, divisor=networks.perceptual.divisor
        )
        loss: Tensor = weights["pixel"] * (image - self._target).square().mean((1, 2, 3))
        loss = loss + weights["perceptual"] * distance
        if "domain" in weights:
            loss = loss + weights["domain"] * (code - networks.encoder(image)).square().mean((1, 2))
        return loss
