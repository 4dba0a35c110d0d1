"""Train the demo's judge, on drawings and from seeds of its own; resumes from its own checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch

from relatent_export.demo.factors import FACTORS
from relatent_export.demo.train_attributes import finish
from relatent_export.demo.world import RESOLUTION, Drawings
from relatent_export.nets.judge import Judge, JudgeConfig
from relatent_export.training.attributes import AttributeSettings, AttributeTraining

SETTINGS = AttributeSettings(images=288_000, learning_rate=2e-3, seed=1001)
"""About a quarter of an hour on one core."""

_DRAWINGS = 40_000
"""Drawings in the judge's training set."""


def new_judge() -> Judge:
    """The demo's judge, untrained."""
    return Judge(JudgeConfig(len(FACTORS), RESOLUTION))


def train_judge(work: Path, settings: AttributeSettings = SETTINGS) -> tuple[Judge, float]:
    """Train, or go on training, the judge.

    Args:
        work: folder for the checkpoint, `judge.safetensors`, and a log.
        settings: how to train.

    Returns:
        The judge, frozen, and the seconds that its steps took.
    """
    torch.manual_seed(settings.seed)
    training = AttributeTraining(new_judge(), settings)
    finish(training, work / "judge.safetensors", Drawings.JUDGE, _DRAWINGS)
    return training.network.eval().requires_grad_(False), training.seconds
