"""The judge is read back as it was written, and nothing but reports knows it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import torch

from relatent_export.demo.judge import load_judge, measure_judge, save_judge
from relatent_export.demo.train_judge import train_judge
from relatent_export.nets.judge import Judge, JudgeConfig
from relatent_export.packs.weights import FILES, JUDGE
from relatent_export.training.attributes import AttributeSettings
from tests.export.conftest import ROOT


def test_a_judge_is_read_as_it_was_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    judge = Judge(JudgeConfig(3, 32, (8, 16))).eval()
    image = torch.randn(2, 3, 32, 32)
    path = save_judge(judge, tmp_path)
    copy = load_judge(tmp_path)
    assert copy.config == judge.config
    assert not copy.training
    assert torch.equal(copy(image), judge(image))
    assert copy(image).shape == (2, 3)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_shape_that_no_judge_has_is_refused() -> None:
    with pytest.raises(ValueError, match="resolution: expected a multiple of 16, got 24"):
        JudgeConfig(3, 24, (8, 8, 8, 8))
    with pytest.raises(ValueError, match="channels: expected multiples of 8"):
        JudgeConfig(3, 64, (8, 12))


def test_the_judge_is_trained_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relatent_export.demo.train_judge._DRAWINGS", 64)
    settings = AttributeSettings(images=64, seed=1001)
    first, _ = train_judge(tmp_path, settings)
    monkeypatch.setattr("relatent_export.demo.train_attributes.draw", pytest.fail)
    again, _ = train_judge(tmp_path, settings)
    image = torch.zeros(1, 3, 64, 64)
    assert torch.equal(first(image), again(image))
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_the_demos_judge_judges_well_and_belongs_to_no_graph() -> None:
    found = measure_judge(load_judge(ROOT / "packs/demo"), count=200)
    assert found.mean_error <= 2
    assert min(found.r2.values()) >= 0.95
    assert JUDGE not in FILES
    assert JUDGE not in tomllib.loads((ROOT / "packs/demo/pack.toml").read_text())["files"]
