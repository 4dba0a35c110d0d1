"""Train the demo generator; resumes from its own checkpoint."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from relatent_export.demo.pictures import save_samples
from relatent_export.demo.world import GENERATOR, TRAINING_DRAWINGS, Drawings, draw
from relatent_export.nets.stylegan2 import Generator
from relatent_export.progress import progress
from relatent_export.training.gan import GanSettings, GanTraining

_SAVE_EVERY = 10_000
_LOG_EVERY = 1_600
_SAMPLES, _SAMPLES_SEED = 48, 5


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
    bar = progress(desc="gan", unit="img", initial=training.images, total=training.settings.images)
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
                path = work / f"samples-{training.images // 1000:04d}k.png"
                save_samples(training.average, _SAMPLES, _SAMPLES_SEED, path)
    training.save(checkpoint)
