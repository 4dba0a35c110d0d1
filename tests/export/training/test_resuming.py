"""Runs that are interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from relatent_export.training.resuming import KEPT_EVERY, kept_at, train

STEPS = 2 * KEPT_EVERY + 3


class Counting:
    """Sums up how far it is; fails before a step where it is told to."""

    def __init__(self, fails_at: int = STEPS + 1) -> None:
        self.total, self.taken, self.fails_at = torch.zeros(1, dtype=torch.float64), 0, fails_at

    def step(self, progress: float) -> None:
        if self.taken == self.fails_at:
            raise KeyboardInterrupt
        self.taken += 1
        self.total = self.total * 1.01 + progress

    def state(self) -> dict[str, Tensor]:
        return {"total": self.total}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.total = tensors["total"]


def test_an_interrupted_run_goes_on_from_what_was_kept_and_comes_to_the_same(tmp_path: Path) -> None:
    whole = Counting()
    train(whole, STEPS, "whole", None)
    path = tmp_path / "work" / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(Counting(fails_at=KEPT_EVERY + 7), STEPS, "first", path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    second = Counting()
    train(second, STEPS, "second", path)
    assert second.taken == STEPS - KEPT_EVERY
    assert torch.equal(second.total, whole.total)
    third = Counting(fails_at=0)
    train(third, STEPS, "third", path)
    assert torch.equal(third.total, whole.total)


def test_what_a_run_is_of_tells_where_it_is_kept(tmp_path: Path) -> None:
    assert kept_at(None, "walk", 1) is None
    assert kept_at(tmp_path, "walk", 1) == kept_at(tmp_path, "walk", 1)
    places = {kept_at(tmp_path, *facts) for facts in (("walk", 1), ("walk", "1"), ("walk", 2), ("other", 1))}
    assert len(places) == 4
