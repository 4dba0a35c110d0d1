"""Train the demo's encoder on against a discriminator of codes too; resumes from its own checkpoint."""

from __future__ import annotations

import copy
from pathlib import Path

import torch

from relatent_export.demo.train_encoder import run_to_end
from relatent_export.demo.world import GENERATOR, Drawings, demo_parts, draw
from relatent_export.nets.discriminator import Discriminator
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.networks import Networks
from relatent_export.training.checkpoint import load_module, load_state
from relatent_export.training.encoder import EncoderRound, EncoderSettings
from relatent_export.training.forced_encoder import ForcedEncoderTraining, ForcingSettings

SETTINGS = EncoderSettings(
    rounds=(EncoderRound(40_000, of=40_000, learning_rate=4e-4, decay_from=0.5),), seed=4
)
"""About a quarter of an hour on one core."""

_GAN = "gan.safetensors"


def train_forced_encoder(
    work: Path,
    networks: Networks,
    settings: EncoderSettings = SETTINGS,
    forcing: ForcingSettings | None = None,
) -> tuple[Encoder, float]:
    """Train, or go on training, the encoder of a pack like the demo's.

    The discriminator of images is the generator's own, from its training in `work`. Where that is no more,
    there is no such term: images stay drawings' by the other terms, and a new discriminator would not have
    learnt much in so short a run.

    Args:
        work: folder for the checkpoint, `forced_encoder.safetensors`, and a log.
        networks: the pack's, whose encoder is the start.
        settings: how to train.
        forcing: how the discriminator of codes is trained.

    Returns:
        The averaged encoder, frozen, and the seconds that its steps took.
    """
    parts = demo_parts(networks)
    torch.manual_seed(settings.seed)
    training = ForcedEncoderTraining(
        copy.deepcopy(parts.encoder).requires_grad_(True),
        copy.deepcopy(parts.generator),
        copy.deepcopy(parts.attributes),
        _image_discriminator(work / _GAN),
        settings,
        forcing or ForcingSettings(),
    )
    checkpoint = work / "forced_encoder.safetensors"
    work.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        training.load(checkpoint)
    if training.images < settings.images:
        data, _ = draw(
            Drawings.TRAINING,
            max(stretch.of for stretch in settings.rounds),
            networks.generator.config.resolution,
        )
        run_to_end(training, data, checkpoint)
    return training.average, training.seconds


def _image_discriminator(checkpoint: Path) -> Discriminator | None:
    if not checkpoint.exists():
        return None
    discriminator = Discriminator(GENERATOR.channels)
    load_module("discriminator", discriminator, load_state(checkpoint)[0])
    return discriminator
