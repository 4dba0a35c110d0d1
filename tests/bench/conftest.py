from pathlib import Path

import pytest

from bench.measurement import BenchSettings
from tests.fixtures.tiny import write_tiny


@pytest.fixture
def settings(tmp_path: Path) -> BenchSettings:
    """Quick runs over the pack `tiny`, in process."""
    packs, repository = write_tiny(tmp_path)
    return BenchSettings(packs, repository, pack="tiny", engine="local", quick=True)
