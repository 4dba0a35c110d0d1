"""Train the demo generator; resumes from its own checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from pathlib import Path

from torch import Tensor

from relatent_export.demo.pictures import save_samples
from relatent_export.demo.world import GENERATOR, TRAINING_DRAWINGS, Drawings, draw
from relatent_export.nets.stylegan2 import Generator
from relatent_export.progress import progress
from relatent_export.training.gan import GanSettings, GanTraining

_SAVE_EVERY = 4_000
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
    return finish(training, work, lambda: draw(Drawings.TRAINING, TRAINING_DRAWINGS)[0])


def finish(training: GanTraining, work: Path, drawings: Callable[[], Tensor]) -> Generator:
    """Take a run to its end, from its checkpoint if there is one.

    Args:
        training: as it begins.
        work: folder for the checkpoint (`gan.safetensors`), a log and sample pictures.
        drawings: draws what to train on, uint8 [N, 3, R, R]; not called if the run is at its end.

    Returns:
        The averaged generator, with its mean latent measured.
    """
    checkpoint = work / "gan.safetensors"
    work.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        training.load(checkpoint)
    if training.images < training.settings.images:
        _train(training, drawings(), work, checkpoint)
    training.measure_mean()
    return training.average


def _train(training: GanTraining, data: Tensor, work: Path, checkpoint: Path) -> None:
    bar = progress(desc="gan", unit="img", initial=training.images, total=training.settings.images)
    with bar, (work / "gan.log").open("a") as log:
        for step in training.run(data):
            bar.update(training.settings.batch)
            if step["images"] % _LOG_EVERY == 0:
                bar.set_postfix(d=f"{step['discriminator']:.2f}", g=f"{step.get('generator', nan):.2f}")
                log.write(
                    f"{training.images} images {training.seconds:.0f} s "
                    f"D {step['discriminator']:.3f} G {step.get('generator', nan):.3f}\n"
                )
                log.flush()
            if step["images"] % _SAVE_EVERY == 0:
                training.save(checkpoint)
                training.measure_mean()
                path = work / f"samples-{training.images // 1000:04d}k.png"
                save_samples(training.average, _SAMPLES, _SAMPLES_SEED, path)
    training.save(checkpoint)
