from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from relatent_service.engine.embedded import leftovers
from relatent_service.engine.embedded.leftovers import Leftovers, sweep

OWNER = """
import sys
from pathlib import Path
from relatent_service.engine.embedded import leftovers
leftovers.REGIONS = Path(sys.argv[1])
held = leftovers.Leftovers(Path(sys.argv[2]))
(leftovers.REGIONS / (held.prefix + "region")).touch()
(held.folder / "file").touch()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    regions, folders = tmp_path / "regions", tmp_path / "folders"
    regions.mkdir()
    folders.mkdir()
    monkeypatch.setattr(leftovers, "SCRATCH", folders)
    monkeypatch.setattr(leftovers, "REGIONS", regions)
    return regions, folders


def leave(regions: Path, content: str) -> Path:
    """A lock that nobody holds, with the name of a folder in it."""
    lock = regions / "relatent-00.lock"
    lock.write_text(content)
    return lock


def test_what_a_killed_owner_left_is_swept_and_what_others_own_is_kept(places: tuple[Path, Path]) -> None:
    regions, folders = places
    mine = Leftovers(folders)
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
    assert len(alive - kept) == 4  # a lock, a region, a folder, another for the socket
    sweep()
    assert set(regions.iterdir()) | set(folders.iterdir()) == alive
    owner.kill()
    owner.communicate()
    sweep()
    assert set(regions.iterdir()) | set(folders.iterdir()) == kept
    mine.release()
    assert [path.name for path in regions.iterdir()] == ["somebody-elses"]
    assert not list(folders.iterdir())


def test_a_claim_shuts_out_other_users(places: tuple[Path, Path]) -> None:
    regions, folders = places
    mine = Leftovers(folders)
    region = regions / (mine.prefix + "region")
    region.touch(0o644)
    mine.take()
    socket = Path(mine.address.removeprefix("unix:"))
    assert [path.stat().st_mode & 0o077 for path in (region, socket.parent, mine.folder)] == [0, 0, 0]
    assert len(str(Path("/dev/shm") / socket.relative_to(regions))) < 108, "a socket's name may not be longer"
    mine.release()


def test_a_sweep_follows_no_other_users_lock_and_removes_no_folder_but_a_claims(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    regions, folders = places
    (folders / "relatent-00").mkdir()
    (folders / "precious").mkdir()
    lock = leave(regions, str(folders / "relatent-00"))
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    sweep()
    assert lock.exists()
    assert (folders / "relatent-00").exists()
    monkeypatch.setattr(os, "geteuid", lambda: user)
    sweep()
    assert not lock.exists()
    assert not (folders / "relatent-00").exists()
    leave(regions, str(folders / "precious"))
    sweep()
    assert (folders / "precious").exists()


def test_a_claim_that_cannot_be_made_leaves_nothing(places: tuple[Path, Path]) -> None:
    regions, folders = places
    with pytest.raises(FileNotFoundError):
        Leftovers(folders / "absent")
    assert not list(regions.iterdir())


def test_the_folders_that_triton_scratches_together_are_removed_by_the_owner_or_by_a_sweep(
    places: tuple[Path, Path],
) -> None:
    regions, folders = places
    old, own, full, left = (folders / f"python_env_{name}" for name in ("old", "own", "full", "left"))
    old.mkdir()
    mine = Leftovers(folders)
    mine.begin()
    own.mkdir()
    full.mkdir()
    (full / "somebody").touch()
    mine.take()
    mine.clear()
    assert (old.exists(), own.exists(), full.exists()) == (True, False, True)
    mine.release()
    left.mkdir()
    leave(regions, f"{folders / 'relatent-00'}\n{left}\n{folders}")
    sweep()
    assert (left.exists(), folders.exists()) == (False, True)
