"""A file that must not come into being, and NVIDIA's modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export.checkpoints import nvidia as modules


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """What a hostile file creates once it runs."""
    return tmp_path / "canary"


@pytest.fixture
def nvidia(canary: Path, monkeypatch: pytest.MonkeyPatch) -> modules.Nvidia:
    """NVIDIA's modules, for the time of a test."""
    return modules.make(canary, monkeypatch)
