from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.engine import claim
from service.engine.claim import Claim, sweep

OWNER = """
import sys, tempfile
from pathlib import Path
from service.engine import claim
claim.REGIONS, tempfile.tempdir = Path(sys.argv[1]), sys.argv[2]
held = claim.Claim()
(claim.REGIONS / (held.prefix + "region")).touch()
(held.folder / "file").touch()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    regions, folders = tmp_path / "regions", tmp_path / "folders"
    regions.mkdir()
    folders.mkdir()
    monkeypatch.setattr(claim, "REGIONS", regions)
    monkeypatch.setattr("tempfile.tempdir", str(folders))
    return regions, folders


def test_what_a_killed_owner_left_is_swept_and_what_others_own_is_kept(places: tuple[Path, Path]) -> None:
    regions, folders = places
    mine = Claim()
    (regions / (mine.prefix + "region")).touch()
    (regions / "somebody-elses").touch()
    kept = set(regions.iterdir()) | set(folders.iterdir())
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, regions, folders],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    alive = set(regions.iterdir()) | set(folders.iterdir())
    assert len(alive - kept) == 3  # a lock, a region, a folder
    sweep()
    assert set(regions.iterdir()) | set(folders.iterdir()) == alive
    owner.kill()
    owner.communicate()
    sweep()
    assert set(regions.iterdir()) | set(folders.iterdir()) == kept
    mine.release()
    assert [path.name for path in regions.iterdir()] == ["somebody-elses"]
    assert not list(folders.iterdir())
