from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bench import step
from bench.measurement import BenchSettings
from tests.fixtures.tiny import write_tiny


@pytest.fixture
def settings(tmp_path: Path) -> BenchSettings:
    """Quick runs over the pack `tiny`, in process."""
    packs, repository = write_tiny(tmp_path)
    return BenchSettings(packs, repository, pack="tiny", engine="local", quick=True)


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Measurements take all cores; here other tests have them, and waiting for a core costs a whole one."""
    monkeypatch.setattr(step, "available_cores", lambda: 1)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
