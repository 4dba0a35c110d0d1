"""Linux processes: who is whose child, and waiting for one of several to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

PROC = Path("/proc")


def children_of(parent: int) -> list[int]:
    """Process ids of a process's children, zombies left out."""
    children = []
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            # "pid (command) state parent …", where the command may hold blanks and parentheses.
            state, its_parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):  # it ended meanwhile
            continue
        if int(its_parent) == parent and state != "Z":
            children.append(int(stat.parent.name))
    return children


async def first_to_end(processes: Sequence[int]) -> int:
    """Wait until one of several processes ends; the id of that one."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Queue[int] = asyncio.Queue()
    descriptors = []
    try:
        for process in processes:
            try:
                descriptor = os.pidfd_open(process)
            except ProcessLookupError:
                return process
            descriptors.append(descriptor)
            loop.add_reader(descriptor, ended.put_nowait, process)
        return await ended.get()
    finally:
        for descriptor in descriptors:
            loop.remove_reader(descriptor)
            os.close(descriptor)


def kill_group(leader: int) -> None:
    """Kill a process group, if there is something left of it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def reap_group(leader: int) -> None:
    """Wait for those of a killed group that have become children of this process.

    As the first process of a container it inherits the orphans of it, which stay zombies until waited for.
    """
    with contextlib.suppress(ChildProcessError):  # there is none, or none any more
        while True:
            os.waitpid(-leader, 0)
