"""Where the embedded Triton's files and shared memory go, and what is said where there is no room."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from relatent_service.engine.embedded import locations
from relatent_service.engine.embedded.installation import InstallationError
from relatent_service.engine.embedded.locations import (
    MIB,
    check_shared_memory,
    find_folder,
    shared_memory_needed,
    temporary_folders,
)


class Mounted:
    """Lets folders be mounted as a test wants them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flags: dict[Path, int] = {}
        self.free: dict[Path, int] = {}
        self._real = os.statvfs
        monkeypatch.setattr(os, "statvfs", self._statvfs)

    def _statvfs(self, folder: Path) -> Any:
        fields = list(self._real(folder))
        size, flag = 1, 8
        fields[flag] = self.flags.get(folder, 0)
        if folder in self.free:
            fields[size], fields[4] = 1, self.free[folder]
        return os.statvfs_result(fields)


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> Mounted:
    return Mounted(monkeypatch)


def test_the_first_folder_that_will_do_is_taken(tmp_path: Path, mounted: Mounted) -> None:
    folders = [tmp_path / name for name in ("absent", "readonly", "noexec", "full", "good", "better")]
    for folder in folders[1:]:
        folder.mkdir()
    mounted.flags = {folders[1]: os.ST_RDONLY, folders[2]: os.ST_NOEXEC}
    mounted.free = {folders[3]: MIB - 1}
    assert find_folder(folders, MIB) == folders[4]
    with pytest.raises(InstallationError) as caught:
        find_folder(folders[:4], MIB)
    assert str(caught.value) == (
        "it needs a temporary folder with 1.0 MiB free in which programs may be started "
        f"({tmp_path}/absent does not exist, {tmp_path}/readonly cannot be written to, "
        f"{tmp_path}/noexec is mounted noexec, {tmp_path}/full has 1.0 MiB free): "
        "mount one, with docker --tmpfs /tmp:exec, or in Kubernetes an emptyDir, or name one in TMPDIR"
    )
    mounted.flags[Path("/tmp")] = os.ST_RDONLY
    with pytest.raises(InstallationError, match=r"it needs /tmp, which cannot be written to: mount one"):
        find_folder(folders, MIB)


def test_the_environments_folders_come_before_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/one")
    monkeypatch.setenv("TMP", "/two")
    assert temporary_folders()[:3] == [Path("/one"), Path("/two"), Path("/tmp")]


def test_too_little_shared_memory_is_told_with_what_is_needed_and_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounted: Mounted
) -> None:
    monkeypatch.setattr(locations, "REGIONS", tmp_path)
    mounted.flags = {tmp_path: os.ST_NOEXEC}
    mounted.free = {tmp_path: 64 * MIB}
    check_shared_memory(64 * MIB)
    with pytest.raises(InstallationError) as caught:
        check_shared_memory(65 * MIB)
    assert str(caught.value) == (
        f"it needs 65.0 MiB of shared memory, and {tmp_path} has 64.0 MiB free: give the container more, "
        "with docker --shm-size, or in Kubernetes with an emptyDir of medium Memory mounted there"
    )
    monkeypatch.setattr(locations, "REGIONS", tmp_path / "absent")
    with pytest.raises(InstallationError, match="absent does not exist: give the container more"):
        check_shared_memory(MIB)


def test_what_is_needed_is_a_region_a_graph_and_room_for_its_largest_batch(tmp_path: Path) -> None:
    for name, side in (("small", 1), ("large", 512)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.pbtxt").write_text(
            f"""max_batch_size: 4
            input {{ name: "x" data_type: TYPE_UINT8 dims: [{side}, {side}] }}
            output {{ name: "y" data_type: TYPE_FP32 dims: [{side}, {side}] }}"""
        )
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.pbtxt").write_text("nonsense {")
    assert shared_memory_needed(tmp_path) == (2 + 1 + 5) * MIB
