"""The generator without glasses: its drawings lack them alone, and its training goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from relatent_export.demo.factors import FACTORS
from relatent_export.demo.glassless import LEFT_OUT, load_glassless, save_glassless, train_glassless
from relatent_export.demo.world import Drawings, draw
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.training.gan import GanRound, GanSettings, GanTraining

CONFIG = GeneratorConfig(resolution=16, latent_width=8, mapping_layers=2, channels=(8, 8, 8))
SETTINGS = GanSettings(rounds=(GanRound(48, r1_weight=0.1),), head_start=16, ema_images=8, seed=2)


def started() -> Generator:
    torch.manual_seed(0)
    return Generator(CONFIG).eval().requires_grad_(False)


def test_a_factor_is_taken_off_the_same_drawings() -> None:
    whole, factors = draw(Drawings.SWEEP, 20)
    bare, others = draw(Drawings.SWEEP, 20, without=LEFT_OUT)
    place = FACTORS.index(LEFT_OUT)
    assert (others[:, place] == -1).all()
    kept = [index for index in range(len(FACTORS)) if index != place]
    assert torch.equal(factors[:, kept], others[:, kept])
    # What the glasses cover; a few wear such faint ones that no byte changes.
    changed = (whole != bare).any(1)
    assert changed.flatten(1).any(1).float().mean() > 0.9
    assert not changed[:, 48:].any()


def test_the_discriminator_has_its_head_start_before_the_generator_moves() -> None:
    training = GanTraining(CONFIG, SETTINGS, torch.float32)
    start = started()
    training.start_from(start)
    steps = training.run(draw(Drawings.SWEEP, 16, 16)[0])
    assert "generator" not in next(steps)
    for own in (training.generator, training.average):
        assert all(torch.equal(a, b) for a, b in zip(own.parameters(), start.parameters(), strict=True))
    assert "generator" in next(steps)
    assert any(
        not torch.equal(a, b)
        for a, b in zip(training.generator.parameters(), start.parameters(), strict=True)
    )


def test_training_goes_on_from_its_checkpoint_and_is_kept_in_half_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = train_glassless(tmp_path, started(), SETTINGS, drawings=32)
    monkeypatch.setattr("relatent_export.demo.glassless.draw", pytest.fail)
    again, _ = train_glassless(tmp_path, started(), SETTINGS, drawings=32)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first(z), again(z))
    assert not torch.equal(first(z), started()(z))
    path = tmp_path / "kept" / "generator.safetensors"
    save_glassless(first, path)
    kept = load_glassless(path)
    assert kept.config == CONFIG
    assert path.stat().st_size < 2.5 * sum(each.numel() for each in first.parameters()) + 6_000
    torch.testing.assert_close(kept(z), first(z), atol=0.02, rtol=0.02)
