"""Train the demo's attribute network; resumes from its own checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from relatent_export.demo.factors import FACTORS
from relatent_export.demo.world import RESOLUTION, TRAINING_DRAWINGS, Drawings, draw
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.progress import progress
from relatent_export.training.attributes import AttributeSettings, AttributeTraining

_SAVE_EVERY = 32_000


class RunSettings(Protocol):
    """How long a run is."""

    @property
    def images(self) -> int:
        """Drawings seen in all."""

    @property
    def batch(self) -> int:
        """Drawings a step."""


class ResumableRun(Protocol):
    """A run on drawings and their factors that can be saved and gone on with."""

    images: int
    seconds: float

    @property
    def settings(self) -> RunSettings:
        """How long it is."""

    def run(self, data: Tensor, factors: Tensor) -> Iterator[float]:
        """Train to the end of the run; yields the loss after each step."""

    def save(self, path: Path) -> None:
        """Write everything needed to go on."""

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote."""


def new_attribute_network() -> AttributeNetwork:
    """The demo's attribute network, untrained."""
    return AttributeNetwork(len(FACTORS), RESOLUTION)


def train_attributes(work: Path, settings: AttributeSettings | None = None) -> AttributeNetwork:
    """Train, or go on training, the attribute network.

    Args:
        work: folder for the checkpoint, `attributes.safetensors`.
        settings: how to train; the demo's own if left out.
    """
    settings = settings or AttributeSettings()
    torch.manual_seed(settings.seed)
    training = AttributeTraining(new_attribute_network(), settings)
    finish(training, work / "attributes.safetensors", Drawings.TRAINING, TRAINING_DRAWINGS)
    return training.network.eval().requires_grad_(False)


def finish(training: ResumableRun, checkpoint: Path, which: Drawings, count: int) -> None:
    """Train to the end of the run, from its checkpoint if there is one; writes a log beside it.

    Args:
        training: a run at its start.
        checkpoint: the file that it is saved in.
        which: the set of drawings that it sees.
        count: how many of them.
    """
    settings = training.settings
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        training.load(checkpoint)
    if training.images >= settings.images:
        return
    data, factors = draw(which, count)
    bar = progress(desc=checkpoint.stem, unit="img", initial=training.images, total=settings.images)
    with bar, checkpoint.with_suffix(".log").open("a") as log:
        for loss in training.run(data, factors):
            bar.update(settings.batch)
            if training.images % _SAVE_EVERY == 0:
                bar.set_postfix(loss=f"{loss:.4f}")
                log.write(f"{training.images} images {training.seconds:.0f} s loss {loss:.5f}\n")
                log.flush()
                training.save(checkpoint)
    training.save(checkpoint)
