"""Walks: where they lead, and that training them makes images what transformations make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from relatent_export.directions.transforms import TRANSFORMS, masked_error
from relatent_export.directions.walks import (
    BATCH,
    TRAINED_STEPS,
    UNROLLED_STEPS,
    NonLinearWalk,
    Walk,
    WalkKind,
    images_to_compare,
    train_walk,
    walk_of,
)
from relatent_export.nets.networks import Networks
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config
from relatent_export.training import resuming
from tests.export.nets.exporting import assert_exports
from tests.fixtures.small import SMALL

BRIGHTNESS = TRANSFORMS["brightness"]
LAYERS = range(2, 6)


def trained(networks: Networks, kind: WalkKind, samples: int = 40 * BATCH, **fields: Any) -> Walk:
    return train_walk(
        networks, BRIGHTNESS, kind, range(networks.generator.config.layers), samples, 3, **fields
    )


def codes(networks: Networks, count: int = 13) -> Tensor:
    z = torch.randn(count, SMALL.z_width, generator=torch.Generator().manual_seed(50))
    return networks.generator.codes(z, 1.0)


def stirred(networks: Networks) -> NonLinearWalk:
    """A walk of some layers that leads somewhere, though it is not trained."""
    walk = walk_of(networks.generator, BRIGHTNESS, WalkKind.NON_LINEAR, LAYERS, seed=2)
    assert isinstance(walk, NonLinearWalk)
    random = torch.Generator().manual_seed(8)
    for parameter in (walk.leave.weight, walk.turn):
        torch.nn.init.normal_(parameter, std=0.3, generator=random)
    return walk.requires_grad_(False)


@pytest.mark.parametrize("kind", WalkKind)
def test_a_walk_makes_images_nearer_to_what_it_was_trained_for(small: Networks, kind: WalkKind) -> None:
    walk, unseen = trained(small, kind), codes(small)
    images = images_to_compare(small.generator, unseen)
    for amount in (-0.5, 0.5):
        wanted = BRIGHTNESS.apply(images, torch.full((len(unseen),), amount))
        walked = images_to_compare(small.generator, walk(unseen, torch.full((len(unseen), 1), amount)))
        assert masked_error(walked, wanted).mean() < 0.9 * masked_error(images, wanted).mean()


@pytest.mark.parametrize("kind", WalkKind)
def test_no_strength_and_other_layers_leave_codes_to_the_last_bit(small: Networks, kind: WalkKind) -> None:
    walk = train_walk(small, BRIGHTNESS, kind, LAYERS, 2 * BATCH, 3)
    start = codes(small)
    assert torch.equal(walk(start, torch.zeros(len(start), 1)), start)
    moved = walk(start, torch.full((len(start), 1), 0.5))
    others = [layer for layer in range(SMALL.layers) if layer not in LAYERS]
    assert torch.equal(moved[:, others], start[:, others])
    assert (moved[:, list(LAYERS)] != start[:, list(LAYERS)]).any(2).all()


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_strength_is_so_many_steps_each_from_where_the_last_one_led(small: Networks, sign: int) -> None:
    walk, start = stirred(small), codes(small)
    stride = sign * BRIGHTNESS.reach / TRAINED_STEPS

    def walked(w: Tensor, steps: float) -> Tensor:
        found: Tensor = walk(w, torch.full((len(w), 1), steps * stride))
        return found

    stepwise = start
    for _ in range(3):
        stepwise = walked(stepwise, 1)
    torch.testing.assert_close(walked(start, 3), stepwise)
    fourth = walked(stepwise, 1)
    torch.testing.assert_close(
        walked(start, 3.25), stepwise + 0.25 * (fourth - stepwise), rtol=1e-4, atol=1e-5
    )
    assert (fourth - stepwise - (walked(start, 1) - start)).abs().max() > 1e-3, "it bends"
    assert torch.equal(walked(start, UNROLLED_STEPS), walked(start, UNROLLED_STEPS + 5))


def test_each_way_has_steps_of_its_own(small: Networks) -> None:
    walk, start = stirred(small), codes(small)
    up, down = (walk(start, torch.full((len(start), 1), by)) for by in (0.1, -0.1))
    assert ((up - start) + (down - start)).abs().max() > 1e-3


def test_codes_of_a_batch_go_by_strengths_of_their_own(small: Networks) -> None:
    walk, start = stirred(small), codes(small, 3)
    strengths = torch.tensor([[-0.4], [0.0], [0.7]])
    together = walk(start, strengths)
    for at in range(3):
        torch.testing.assert_close(together[at : at + 1], walk(start[at : at + 1], strengths[at : at + 1]))


@pytest.mark.parametrize("kind", WalkKind)
def test_walks_export_with_a_free_batch(small: Networks, kind: WalkKind) -> None:
    walk = stirred(small) if kind is WalkKind.NON_LINEAR else trained(small, kind, BATCH)
    assert_exports(walk, codes(small), torch.linspace(-1.2, 1.2, 13)[:, None])


@pytest.mark.parametrize("kind", WalkKind)
def test_a_walk_that_was_interrupted_is_the_same_in_the_end(
    small: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: WalkKind
) -> None:
    monkeypatch.setattr(resuming, "KEPT_EVERY", 3)
    samples = 8 * BATCH
    whole = trained(small, kind, samples)
    seen: list[int] = []

    def interrupted(generator: Any, some: Tensor) -> Tensor:
        seen.append(len(some))
        if len(seen) == 10:  # twice a step, so in the fifth
            raise KeyboardInterrupt
        return images_to_compare(generator, some)

    with monkeypatch.context() as patch:
        patch.setattr("relatent_export.directions.walks.images_to_compare", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(small, kind, samples, work=tmp_path)
    (kept,) = tmp_path.iterdir()
    assert kept.suffix == ".safetensors"
    resumed = trained(small, kind, samples, work=tmp_path)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name


def test_walks_of_other_seeds_and_transformations_are_kept_apart(small: Networks, tmp_path: Path) -> None:
    for seed in (1, 2):
        for name in ("red", "blue"):
            train_walk(small, TRANSFORMS[name], WalkKind.LINEAR, LAYERS, BATCH, seed, tmp_path)
    assert len([*tmp_path.iterdir()]) == 4


def test_fewer_samples_than_a_batch_are_refused(small: Networks) -> None:
    with pytest.raises(ValueError, match="--samples: expected 4 or more, got 3"):
        trained(small, WalkKind.LINEAR, 3)


def test_a_generator_of_the_first_stylegan_has_walks_too() -> None:
    torch.manual_seed(3)
    generator = StyleGAN1(StyleGAN1Config(16, 12, 12, 2, 12, (8, 8, 8)))
    networks = Networks(generator)
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    walk = trained(networks, WalkKind.NON_LINEAR, 2 * BATCH)
    z = torch.randn(2, 12, generator=torch.Generator().manual_seed(1))
    moved = walk(generator.codes(z, 1.0), torch.ones(2, 1))
    assert moved.shape == (2, generator.config.layers, 12)
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())


def test_what_does_not_fit_into_memory_at_once_is_propagated_in_parts(
    small: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(small, WalkKind.LINEAR, 4 * BATCH)
    monkeypatch.setattr("relatent_export.directions.walks._PIXELS", 3 * SMALL.resolution**2)
    parts = trained(small, WalkKind.LINEAR, 4 * BATCH)
    np.testing.assert_allclose(parts.state_dict()["way"], whole.state_dict()["way"], rtol=1e-3, atol=1e-4)
