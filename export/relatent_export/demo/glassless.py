"""A generator that was trained without glasses, for `analyze misses` to find that out.

Its drawings are those of the training set with the glasses taken off: all else, age among it, is distributed
as it was. It starts as the demo's own generator, which takes a tenth of the time that one from nothing would.
Its file belongs to measurements: no pack lists it, and no graph is made of it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from relatent_export.demo.train_gan import finish
from relatent_export.demo.world import TRAINING_DRAWINGS, Drawings, draw
from relatent_export.nets.assigning import assign
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.packs.tensors import building_from, load_network, save_tensors
from relatent_export.training.gan import GanRound, GanSettings, GanTraining
from relatent_export.writing import whole_file

LEFT_OUT = "glasses"
"""The factor that it never learnt."""

SETTINGS = GanSettings(
    rounds=(
        GanRound(14_000, r1_weight=0.01, decay_from=1.0),
        GanRound(6_000, r1_weight=0.01, decay_from=0.0),
    ),
    learning_rate=2e-3,
    head_start=3_200,
    seed=2,
)
"""A quarter of an hour on one core. Six thousand drawings more take the last traces of the glasses away, and
with them most of how wide eyes open: the new discriminator learns too little of that to keep it."""

_FOLDER = "without_glasses"


def train_glassless(
    work: Path, start: Generator, settings: GanSettings = SETTINGS, drawings: int = TRAINING_DRAWINGS
) -> tuple[Generator, float]:
    """Train, or go on training, the generator.

    Args:
        work: folder for the run's own, `without_glasses`.
        start: the generator to begin with.
        settings: how to train.
        drawings: in the training set.

    Returns:
        The averaged generator, and the seconds that its steps took.
    """
    training = GanTraining(start.config, settings)
    training.start_from(start)
    generator = finish(
        training,
        work / _FOLDER,
        lambda: draw(Drawings.TRAINING, drawings, start.config.resolution, LEFT_OUT)[0],
    )
    return generator, training.seconds


def save_glassless(generator: Generator, path: Path) -> None:
    """Write the generator in half precision.

    Raises:
        OSError: it cannot be written; names the file.
    """
    tensors = {name: tensor.to(torch.float16) for name, tensor in generator.state_dict().items()}
    with whole_file(path) as partial:
        save_tensors(partial, tensors, {"config": json.dumps(asdict(generator.config), sort_keys=True)})


def load_glassless(path: Path) -> Generator:
    """Read what `save_glassless` wrote, frozen and in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its weights do not fit its header.
    """
    tensors, header = load_network(path)
    with building_from(path):
        generator = Generator(GeneratorConfig(**header))
        assign(generator, tensors)
    return generator
