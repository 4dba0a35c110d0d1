"""Directions that can be told from each other by what they change, and the network that tells them.

Voynov and Babenko, "Unsupervised Discovery of Interpretable Directions in the GAN Latent Space" (2020): K
directions, the unit columns of a matrix A, and a reconstructor are trained together, so that of the images
G(w) and G(w + e · A_k) it tells which k and how far:

    cross entropy of k  +  0.25 · |e - its guess|

e is in standard deviations of codes (`CodeSpread.deviation`), drawn uniformly from -6 to -0.5 and 0.5 to 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.directions.spread import spread_of
from relatent_export.nets.layers import LEAK
from relatent_export.nets.networks import AnyGenerator, Networks
from relatent_export.nets.resampling import area_downsample
from relatent_export.training.checkpoint import (
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
)
from relatent_export.training.resuming import kept_at, train
from relatent_export.training.schedule import cosine, warm_up

BATCH = 16
"""Pairs of images a step."""
SIDE = 64
"""Height and width at which pairs are looked at, at most."""
LEAST, MOST = 0.5, 6.0
"""How far pairs are apart, in standard deviations of codes."""

_DISTANCE_WEIGHT = 0.25
_DIRECTIONS_RATE, _RECONSTRUCTOR_RATE = 1e-2, 1e-3
_WARM = 0.02
_JUDGED, _JUDGED_SEED = 32, 1
"""Pairs of each direction that tell how well it is told, and what their seed is more than the training's."""
_PIXELS = BATCH * 256 * 256


@dataclass(frozen=True)
class Discovered:
    """What was found.

    Attributes:
        vectors: of unit norm, float32 [K, D], the one that is told best first.
        told: the mean probability that the reconstructor gives to the right direction, [K], likewise.
        deviation: of codes, which pairs were apart by.
    """

    vectors: Tensor
    told: Tensor
    deviation: float


class Reconstructor(nn.Module):
    """Pairs of images to which direction is between them, and how far it is.

    Args:
        directions: K.
        side: height and width of the images, a multiple of 8.
    """

    def __init__(self, directions: int, side: int) -> None:
        super().__init__()
        counts = (6, 32, 64, 128)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(counts[at], counts[at + 1], 3, stride=2, padding=1) for at in range(3)
        )
        self.dense = nn.Linear(counts[-1] * (side // 8) ** 2, 128)
        self.which, self.distance = nn.Linear(128, directions), nn.Linear(128, 1)

    def forward(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 6, S, S] to logits [B, K], and distances [B] in standard deviations of codes."""
        x = pair
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(x), LEAK)
        x = F.leaky_relu(self.dense(x.flatten(1)), LEAK)
        return self.which(x), self.distance(x)[:, 0]


def discover(
    networks: Networks, layers: range, count: int, samples: int, seed: int, work: Path | None = None
) -> Discovered:
    """Train directions and a reconstructor.

    Args:
        networks: the pack's.
        layers: that directions move.
        count: K, 2 or more.
        samples: pairs that are seen, each once; whole batches of `BATCH` of them count.
        seed: of pairs and of weights.
        work: a folder that keeps the run, for one that goes on where it stopped; the result is the same.

    Raises:
        OSError: the run cannot be kept; names the file.
    """
    run, steps = _Discovery(networks.generator, layers, count, seed), samples // BATCH
    path = kept_at(work, "discover", networks.revision, layers, count, steps, seed)
    train(run, steps, f"{count} directions", path)
    told = run.told(seed + _JUDGED_SEED)
    order = told.argsort(descending=True, stable=True)
    return Discovered(run.vectors.detach().T[order].contiguous(), told[order], run.deviation)


class _Discovery:
    """A training in progress; owns the directions, the reconstructor, the optimiser and the random state."""

    def __init__(self, generator: AnyGenerator, layers: range, count: int, seed: int) -> None:
        config = generator.config
        self.generator, self.count = generator, count
        self.moved = torch.zeros(config.layers, 1)
        self.moved[list(layers)] = 1
        self.deviation = spread_of(generator).deviation
        self.side = min(SIDE, config.resolution)
        self.at_a_time = max(1, min(BATCH, _PIXELS // config.resolution**2))
        self.random = torch.Generator().manual_seed(seed)
        self.matrix = nn.Parameter(torch.randn(config.latent_width, count, generator=self.random))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.reconstructor = Reconstructor(count, self.side)
        self.adam = torch.optim.Adam(
            [
                {"params": [self.matrix], "rate": _DIRECTIONS_RATE},
                {"params": list(self.reconstructor.parameters()), "rate": _RECONSTRUCTOR_RATE},
            ]
        )

    @property
    def vectors(self) -> Tensor:
        """A, [D, K]."""
        return F.normalize(self.matrix, dim=0)

    def step(self, progress: float) -> None:
        """See a batch of pairs."""
        for group in self.adam.param_groups:
            group["lr"] = group["rate"] * warm_up(progress + _WARM / 10, _WARM) * cosine(progress)
        which = torch.randint(self.count, (BATCH,), generator=self.random)
        distances = self._distances(BATCH, self.random)
        z = torch.randn(BATCH, self.generator.config.z_width, generator=self.random)
        self.adam.zero_grad(set_to_none=True)
        parts = (torch.split(each, self.at_a_time) for each in (z, which, distances))
        for some, right, apart in zip(*parts, strict=True):
            logits, guesses = self.reconstructor(self._pairs(some, right, apart))
            loss = F.cross_entropy(logits, right, reduction="sum")
            loss = (loss + _DISTANCE_WEIGHT * (guesses - apart).abs().sum()) / BATCH
            loss.backward()
        self.adam.step()

    @torch.no_grad()
    def told(self, seed: int) -> Tensor:
        """The mean probability of the right direction, over pairs that training has not seen, [K]."""
        random = torch.Generator().manual_seed(seed)
        found = []
        for direction in range(self.count):
            which = torch.full((_JUDGED,), direction)
            z = torch.randn(_JUDGED, self.generator.config.z_width, generator=random)
            distances = self._distances(_JUDGED, random)
            parts = (torch.split(each, self.at_a_time) for each in (z, which, distances))
            pairs = (self._pairs(*part) for part in zip(*parts, strict=True))
            logits = torch.cat([self.reconstructor(some)[0] for some in pairs])
            found.append(logits.softmax(1)[:, direction].mean())
        return torch.stack(found)

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on."""
        return {
            "matrix": self.matrix,
            **module_tensors("reconstructor", self.reconstructor),
            **optimizer_tensors("adam", self.adam),
            "random": self.random.get_state(),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        self.matrix.data.copy_(tensors["matrix"])
        load_module("reconstructor", self.reconstructor, tensors)
        load_optimizer("adam", self.adam, tensors)
        self.random.set_state(tensors["random"])

    def _distances(self, count: int, random: torch.Generator) -> Tensor:
        """In standard deviations of codes, [N]."""
        sizes = LEAST + (MOST - LEAST) * torch.rand(count, generator=random)
        return sizes * (2 * torch.randint(2, (count,), generator=random) - 1)

    def _pairs(self, z: Tensor, which: Tensor, distances: Tensor) -> Tensor:
        """Images side by side, [B, 6, S, S]: of random codes, and of these moved."""
        with torch.no_grad():
            codes = self.generator.codes(z, 1.0)
            before = area_downsample(self.generator.synthesis(codes), self.side)
        shifts = self.deviation * distances[:, None] * self.vectors.T[which]
        after = self.generator.synthesis(codes + self.moved * shifts[:, None])
        return torch.cat([before, area_downsample(after, self.side)], 1)
