"""Directions that a network tells apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from relatent_export.directions import discovery
from relatent_export.directions.discovery import BATCH, LEAST, MOST, Discovered, Reconstructor, discover
from relatent_export.nets.networks import Networks
from relatent_export.training import resuming
from tests.fixtures.small import SMALL

LAYERS = range(SMALL.layers)


def found(networks: Networks, steps: int, **fields: Any) -> Discovered:
    return discover(networks, LAYERS, 3, steps * BATCH, 5, **fields)


def test_training_makes_directions_that_are_told_better_the_best_first(small: Networks) -> None:
    few, many = found(small, 1), found(small, 120)
    assert many.told.mean() > few.told.mean() + 0.2
    assert many.told.mean() > 0.6
    assert many.told.tolist() == sorted(many.told.tolist(), reverse=True)
    torch.testing.assert_close(many.vectors.norm(dim=1), torch.ones(3))


def test_pairs_are_so_many_deviations_of_codes_apart_either_way_and_never_none(small: Networks) -> None:
    run = discovery._Discovery(small.generator, LAYERS, 3, 5)
    apart = run._distances(5_000, torch.Generator().manual_seed(1))
    assert apart.abs().min() >= LEAST
    assert apart.abs().max() <= MOST
    assert abs(float(apart.mean())) < 0.2
    assert float(apart.abs().mean()) == pytest.approx((LEAST + MOST) / 2, abs=0.1)
    z = torch.randn(10_000, SMALL.z_width, generator=torch.Generator().manual_seed(9))
    spread = small.generator.codes(z, 1.0)[:, 0].std(0).square().mean().sqrt()
    assert run.deviation == pytest.approx(float(spread), rel=0.02)


def test_the_reconstructor_is_given_the_image_and_the_moved_one_alike(small: Networks) -> None:
    run = discovery._Discovery(small.generator, range(2, 4), 3, 5)
    z = torch.randn(2, SMALL.z_width, generator=torch.Generator().manual_seed(1))
    pairs = run._pairs(z, torch.tensor([2, 0]), torch.tensor([1.5, -2.0]))
    codes = small.generator.codes(z, 1.0)
    moved = codes.clone()
    for at, (which, distance) in enumerate(((2, 1.5), (0, -2.0))):
        moved[at, 2:4] += run.deviation * distance * run.vectors[:, which]
    expected = torch.cat([small.generator.synthesis(codes), small.generator.synthesis(moved)], 1)
    torch.testing.assert_close(pairs, expected)


@pytest.mark.parametrize("side", [16, 64])
def test_the_reconstructor_tells_which_and_how_far(side: int) -> None:
    logits, distances = Reconstructor(5, side)(torch.zeros(2, 6, side, side))
    assert (logits.shape, distances.shape) == ((2, 5), (2,))


def test_a_run_that_was_interrupted_finds_the_same_in_the_end(
    small: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "KEPT_EVERY", 3)
    whole, honest = found(small, 8), discovery._Discovery._pairs
    seen: list[int] = []

    def interrupted(run: discovery._Discovery, *part: Tensor) -> Tensor:
        seen.append(len(part[0]))
        if len(seen) == 5:
            raise KeyboardInterrupt
        return honest(run, *part)

    with monkeypatch.context() as patch:
        patch.setattr(discovery._Discovery, "_pairs", interrupted)
        with pytest.raises(KeyboardInterrupt):
            found(small, 8, work=tmp_path)
    assert [each.suffix for each in tmp_path.iterdir()] == [".safetensors"]
    resumed = found(small, 8, work=tmp_path)
    assert torch.equal(resumed.vectors, whole.vectors)
    assert torch.equal(resumed.told, whole.told)


def test_finding_leaves_the_random_state_of_others_alone(small: Networks) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    found(small, 1)
    assert torch.equal(torch.rand(3), expected)
