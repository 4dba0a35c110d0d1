"""Training goes on from its checkpoint as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.discriminator import Discriminator
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.judge import Judge, JudgeConfig
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.training import checkpoint
from relatent_export.training.attributes import AttributeSettings, AttributeTraining
from relatent_export.training.checkpoint import load_state, save_state
from relatent_export.training.encoder import EncoderRound, EncoderSettings, EncoderTraining
from relatent_export.training.forced_encoder import ForcedEncoderTraining, ForcingSettings
from relatent_export.training.gan import GanRound, GanSettings, GanTraining
from relatent_export.training.schedule import late_decay, locate, warm_up

TINY = GeneratorConfig(32, 8, 2, (8, 8, 8, 8))
DATA = torch.randint(0, 256, (32, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
FACTORS = torch.rand(32, 3, generator=torch.Generator().manual_seed(1))


def gan() -> GanTraining:
    return GanTraining(TINY, GanSettings(rounds=(GanRound(24, 0.3), GanRound(24, 0.05)), batch=8, r1_every=2))


def attributes() -> AttributeTraining[AttributeNetwork]:
    torch.manual_seed(0)
    return AttributeTraining(AttributeNetwork(3, 32, (4, 4, 4, 4, 4)), AttributeSettings(images=48, batch=8))


def encoder() -> EncoderTraining:
    torch.manual_seed(0)
    network = Encoder(TINY.layers, 8, torch.zeros(8), channels=(4, 4, 4, 4), head=4)
    return EncoderTraining(
        network,
        Generator(TINY).synthesis,
        AttributeNetwork(3, 32, (4, 4, 4, 4, 4)),
        Discriminator(TINY.channels),
        EncoderSettings(
            rounds=(EncoderRound(24, 16, 1e-3, 0.5), EncoderRound(24, 32, 5e-4, 0.0)), batch=8, judge_every=2
        ),
    )


def judge() -> AttributeTraining[Judge]:
    torch.manual_seed(0)
    return AttributeTraining(Judge(JudgeConfig(3, 32, (8, 8, 16))), AttributeSettings(images=48, batch=8))


def forced_encoder() -> ForcedEncoderTraining:
    """Without a discriminator of images, which `encoder` has."""
    torch.manual_seed(0)
    return ForcedEncoderTraining(
        Encoder(TINY.layers, 8, torch.zeros(8), channels=(4, 4, 4, 4), head=4),
        Generator(TINY),
        AttributeNetwork(3, 32, (4, 4, 4, 4, 4)),
        None,
        EncoderSettings(rounds=(EncoderRound(48, 32, 1e-3, 0.5),), batch=8),
        ForcingSettings(),
    )


def take(training: GanTraining | AttributeTraining[Any] | EncoderTraining, count: int) -> list[object]:
    steps = training.run(DATA, FACTORS) if isinstance(training, AttributeTraining) else training.run(DATA)
    return list(islice(steps, count))


@pytest.mark.parametrize("make", [gan, attributes, judge, encoder, forced_encoder])
def test_a_resumed_run_equals_an_unbroken_one(make: object, tmp_path: Path) -> None:
    assert callable(make)
    unbroken = make()
    whole = take(unbroken, 6)
    broken = make()
    first = take(broken, 3)
    broken.save(tmp_path / "state.safetensors")
    resumed = make()
    resumed.load(tmp_path / "state.safetensors")
    assert first + take(resumed, 10) == whole
    assert resumed.images == 48


def test_a_crash_while_saving_leaves_the_former_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, {"x": torch.ones(2)}, {"images": 1})

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("relatent_export.training.checkpoint.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_state(path, {"x": torch.zeros(2)}, {"images": 2})
    tensors, facts = load_state(path)
    assert facts == {"images": 1}
    assert torch.equal(tensors["x"], torch.ones(2))


@pytest.mark.parametrize(
    "make", [lambda: AttributeNetwork(1, 32, (4, 4, 4, 4, 4)), lambda: Judge(JudgeConfig(1, 32, (8, 8, 16)))]
)
def test_attribute_network_and_judge_learn(make: Callable[[], torch.nn.Module]) -> None:
    torch.manual_seed(0)
    brightness = torch.rand(64, 1, generator=torch.Generator().manual_seed(3))
    data = (brightness[:, :, None, None] * 255).expand(64, 3, 32, 32).to(torch.uint8)
    settings = AttributeSettings(images=3_200, batch=16, learning_rate=3e-3)
    losses = list(AttributeTraining(make(), settings).run(data, brightness))
    assert sum(losses[-20:]) < 0.2 * sum(losses[:20])


def test_a_save_that_is_cut_short_leaves_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, path = gan(), tmp_path / "gan.safetensors"
    take(training, 1)
    training.save(path)

    def cut_short(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save_file", cut_short)
    take(training, 1)
    with pytest.raises(KeyboardInterrupt):
        training.save(path)
    older = gan()
    older.load(path)
    assert older.images == 8


def test_a_run_goes_through_its_rounds_and_not_beyond() -> None:
    rounds = (GanRound(40, 0.3), GanRound(60, 0.05))
    assert locate(rounds, 0) == (rounds[0], 0.0)
    assert locate(rounds, 39) == (rounds[0], 39 / 40)
    assert locate(rounds, 40) == (rounds[1], 0.0)
    assert locate(rounds, 99) == (rounds[1], 59 / 60)
    with pytest.raises(ValueError, match="images: expected fewer than 100, got 100"):
        locate(rounds, 100)


def test_a_step_size_rises_stays_and_falls() -> None:
    assert [warm_up(progress, 0.1) for progress in (0.0, 0.05, 0.1, 1.0)] == [0.0, 0.5, 1.0, 1.0]
    assert [late_decay(progress, 0.5, 0.0) for progress in (0.0, 0.5, 0.75, 1.0)] == [1.0, 1.0, 0.5, 0.0]
    assert late_decay(1.0, 0.0, 0.1) == pytest.approx(0.1)
