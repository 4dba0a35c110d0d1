"""How many cores this process may use: ONNX Runtime, left alone, counts those of the machine."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def available_cores() -> int:
    """Cores that this process may use: its affinity, and the least of its groups' quotas, rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas())]))


def _quotas() -> Iterator[float]:
    """The quotas, in cores, of this process's control groups and of all those that they lie in."""
    for folder in _groups():
        try:
            if (folder / "cpu.max").exists():
                quota, period = (folder / "cpu.max").read_text().split()
            else:  # the first version of control groups
                quota = (folder / "cpu.cfs_quota_us").read_text().strip()
                period = (folder / "cpu.cfs_period_us").read_text().strip()
            if quota not in ("max", "-1"):
                yield int(quota) / int(period)
        except (OSError, ValueError, ZeroDivisionError):
            continue


def _groups() -> Iterator[Path]:
    """Folders of the groups that count processor time, this process's own first, then those around it.

    Inside a container the path may be one of the host's, which is not there: what is, is the container's.
    """
    try:
        lines = OWN_GROUPS.read_text().splitlines()
    except OSError:
        lines = []
    for root in (GROUPS, GROUPS / "cpu", GROUPS / "cpu,cpuacct"):
        yield root
        for line in lines:
            _, controllers, path = line.split(":", 2)
            if controllers == "" or "cpu" in controllers.split(","):
                own = Path(path.lstrip("/"))
                yield from (root / part for part in (own, *own.parents))
