"""Threads keep within what a container, or a group around it, may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from relatent_service.engine import cores

Write = Callable[..., None]


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes control groups, and which of them is this process's; there are 8 cores."""
    monkeypatch.setattr(cores, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))

    def write(own: str, **files: str) -> None:
        (tmp_path / "own").write_text(own)
        for path, text in files.items():
            file = tmp_path / "cgroup" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return write


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 8), ("250000 100000", 3), ("5000 100000", 1)])
def test_threads_keep_within_a_containers_quota(quota: str, expected: int, groups: Write) -> None:
    groups("0::/\n", **{"cpu.max": quota})
    assert cores.available_cores() == expected


def test_the_tightest_of_the_groups_around_a_process_counts(groups: Write) -> None:
    groups(
        "0::/system.slice/relatent.service\n",
        **{
            "system.slice/cpu.max": "200000 100000",
            "system.slice/relatent.service/cpu.max": "400000 100000",
        },
    )
    assert cores.available_cores() == 2


@pytest.mark.parametrize("root", ["cpu", "cpu,cpuacct"])
def test_groups_of_the_first_version_count_too(root: str, groups: Write) -> None:
    own = "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/\n"
    files = {f"{root}/cpu.cfs_quota_us": "-1\n", f"{root}/cpu.cfs_period_us": "100000\n"}
    groups(own, **files)
    assert cores.available_cores() == 8
    files = {
        f"{root}/docker/x/cpu.cfs_quota_us": "150000\n",
        f"{root}/docker/x/cpu.cfs_period_us": "100000\n",
    }
    groups(own, **files)
    assert cores.available_cores() == 2


def test_without_a_quota_every_core_of_the_affinity_counts(
    groups: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups("")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3})
    assert cores.available_cores() == 2


def test_what_cannot_be_read_counts_for_nothing(groups: Write) -> None:
    groups("0::/\n", **{"cpu.max": "a lot"})
    assert cores.available_cores() == 8
