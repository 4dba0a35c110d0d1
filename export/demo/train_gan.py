"""Train the demo generator; resumes from its own checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from export.demo.world import GENERATOR, TRAINING_DRAWINGS, Drawings, draw
from export.nets.stylegan2 import Generator
from export.training.gan import GanSettings, GanTraining

_SAVE_EVERY = 10_000
_LOG_EVERY = 1_600


def train_gan(work: Path, settings: GanSettings | None = None) -> Generator:
    """Train, or go on training, the generator.

    Args:
        work: folder for the checkpoint (`gan.safetensors`), a log and sample pictures.
        settings: how to train; the demo's own if left out.

    Returns:
        The averaged generator, with its mean latent measured.
    """
    training = GanTraining(GENERATOR, settings or GanSettings())
    checkpoint = work / "gan.safetensors"
    work.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        training.load(checkpoint)
    if training.images < training.settings.images:
        data, _ = draw(Drawings.TRAINING, TRAINING_DRAWINGS)
        _train(training, data, work, checkpoint)
    training.measure_mean()
    return training.average


def _train(training: GanTraining, data: Tensor, work: Path, checkpoint: Path) -> None:
    bar = tqdm(desc="gan", unit="img", initial=training.images, total=training.settings.images)
    with bar, (work / "gan.log").open("a") as log:
        for step in training.run(data):
            bar.update(training.settings.batch)
            if step["images"] % _LOG_EVERY == 0:
                bar.set_postfix(d=f"{step['discriminator']:.2f}", g=f"{step['generator']:.2f}")
                log.write(
                    f"{training.images} images {training.seconds:.0f} s "
                    f"D {step['discriminator']:.3f} G {step['generator']:.3f}\n"
                )
                log.flush()
            if step["images"] % _SAVE_EVERY == 0:
                training.save(checkpoint)
                training.measure_mean()
                save_samples(training.average, work / f"samples-{training.images // 1000:04d}k.png")
    training.save(checkpoint)


@torch.no_grad()
def save_samples(generator: Generator, path: Path, count: int = 48, psi: float = 1.0) -> None:
    """Write a contact sheet of random samples."""
    z = torch.randn(count, GENERATOR.latent_width, generator=torch.Generator().manual_seed(5))
    images = ((generator(z, psi).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    rows = [np.concatenate(list(images[i : i + 8]), 2) for i in range(0, count, 8)]
    sheet = np.concatenate(rows, 1).transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(sheet))
    picture.resize((sheet.shape[1] * 2, sheet.shape[0] * 2), Image.Resampling.BICUBIC).save(path)
