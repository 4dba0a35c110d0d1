"""Supervised training of a network that reads attributes off images: the pack's own, or the judge."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.training.checkpoint import (
    load_module,
    load_optimizer,
    load_state,
    module_tensors,
    optimizer_tensors,
    save_state,
)
from relatent_export.training.pixels import soften
from relatent_export.training.schedule import cosine, warm_up

_WARM = 0.02
"""Share of the run in which the step size rises."""

_Network = TypeVar("_Network", bound=nn.Module)
"""Takes images float [B, 3, R, R] in [-1, 1], gives attributes float [B, A]."""


@dataclass(frozen=True)
class AttributeSettings:
    """How to train.

    Attributes:
        images: drawings seen in all.
        batch: drawings a step.
        learning_rate: AdamW's at its highest; a short warm-up, then a cosine to zero.
        noise: standard deviation of noise added to some drawings, in units of [-1, 1] pixels, so
            that the network does not break on images that are not drawings to the last digit.
        seed: of weights and data order.
    """

    images: int = 256_000
    batch: int = 32
    learning_rate: float = 1.5e-3
    noise: float = 0.05
    seed: int = 2


class AttributeTraining(Generic[_Network]):
    """One run in progress; owns network, optimiser, random state and the image count."""

    def __init__(self, network: _Network, settings: AttributeSettings) -> None:
        self.network, self.settings = network, settings
        self.adam = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=1e-3)
        self.random = torch.Generator().manual_seed(settings.seed)
        self.images, self.seconds = 0, 0.0

    def run(self, data: Tensor, factors: Tensor) -> Iterator[float]:
        """Train to the end of the run.

        Args:
            data: uint8 [N, 3, R, R].
            factors: float32 [N, A].

        Yields:
            The loss after each step.
        """
        while self.images < self.settings.images:
            started = time.monotonic()
            progress = self.images / self.settings.images
            rate = self.settings.learning_rate * warm_up(progress, _WARM) * cosine(progress)
            self.adam.param_groups[0]["lr"] = rate
            picks = torch.randint(len(data), (self.settings.batch,), generator=self.random)
            image = soften(data[picks].float() / 127.5 - 1, self.settings.noise, self.random)
            with torch.autocast("cpu", torch.bfloat16):
                predicted = self.network(image)
            loss = F.mse_loss(predicted.float(), factors[picks])
            self.adam.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.adam.step()
            self.images += self.settings.batch
            self.seconds += time.monotonic() - started
            yield loss.item()

    def save(self, path: Path) -> None:
        """Write everything needed to go on."""
        tensors = {
            **module_tensors("network", self.network),
            **optimizer_tensors("adam", self.adam),
            "random": self.random.get_state(),
        }
        save_state(path, tensors, {"images": self.images, "seconds": self.seconds})

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        tensors, facts = load_state(path)
        load_module("network", self.network, tensors)
        load_optimizer("adam", self.adam, tensors)
        self.random.set_state(tensors["random"])
        self.images, self.seconds = facts["images"], facts["seconds"]
