"""Train the demo's encoder against the finished generator; resumes from its own checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch

from relatent_export.demo.train_attributes import train_attributes
from relatent_export.demo.train_gan import train_gan
from relatent_export.demo.world import GENERATOR, Drawings, draw
from relatent_export.nets.discriminator import Discriminator
from relatent_export.nets.encoder import Encoder
from relatent_export.progress import progress
from relatent_export.training.checkpoint import load_module, load_state
from relatent_export.training.encoder import EncoderSettings, EncoderTraining

_SAVE_EVERY = 8_000
_CHANNELS = (32, 64, 96, 128, 128)
"""Feature maps of the encoder from 64 pixels down to 4."""


def new_encoder() -> Encoder:
    """The demo's encoder, untrained and with a zero mean latent."""
    mean = torch.zeros(GENERATOR.latent_width)
    return Encoder(GENERATOR.layers, GENERATOR.latent_width, mean, _CHANNELS)


def train_encoder(work: Path, settings: EncoderSettings | None = None) -> Encoder:
    """Train, or go on training, the encoder, once generator and attribute network are trained.

    Args:
        work: folder with the other checkpoints, and for this one, `encoder.safetensors`.
        settings: how to train; the demo's own if left out.
    """
    settings = settings or EncoderSettings()
    generator, attributes = train_gan(work), train_attributes(work)
    torch.manual_seed(settings.seed)
    encoder = new_encoder()
    encoder.mean.copy_(generator.mapping.mean)
    discriminator = Discriminator(GENERATOR.channels)
    load_module("discriminator", discriminator, load_state(work / "gan.safetensors")[0])
    training = EncoderTraining(encoder, generator.synthesis, attributes, discriminator, settings)
    checkpoint = work / "encoder.safetensors"
    if checkpoint.exists():
        training.load(checkpoint)
    if training.images < settings.images:
        data, _ = draw(Drawings.TRAINING, max(stretch.of for stretch in settings.rounds))
        run_to_end(training, data, checkpoint)
    return training.average


def run_to_end(training: EncoderTraining, data: torch.Tensor, checkpoint: Path) -> None:
    """Train to the end of the run, with a log and a checkpoint that is renewed every 8,000 images.

    Args:
        training: a run at any place.
        data: uint8 [N, 3, R, R], the real images.
        checkpoint: the file that it is saved in.
    """
    bar = progress(desc=checkpoint.stem, unit="img", initial=training.images, total=training.settings.images)
    with bar, checkpoint.with_suffix(".log").open("a") as log:
        for step in training.run(data):
            bar.update(training.settings.batch)
            if step["images"] % 1_600 == 0:
                terms = " ".join(f"{name} {value:.4f}" for name, value in step.items() if name != "images")
                log.write(f"{training.images} images {training.seconds:.0f} s {terms}\n")
                log.flush()
            if step["images"] % _SAVE_EVERY == 0:
                training.save(checkpoint)
    training.save(checkpoint)
