"""Linux processes: who is whose child, what one does, and waiting for one of several to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Activity:
    """What a process does.

    Attributes:
        stopped: whether it was sent SIGSTOP or the like.
        seconds: of processor time that it has had, all threads together.
    """

    stopped: bool
    seconds: float


def children_of(parent: int) -> list[int]:
    """Process ids of a process's children, zombies left out."""
    children = []
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            state, its_parent, *_ = _fields(stat)
        except (OSError, ValueError):  # it ended meanwhile
            continue
        if int(its_parent) == parent and state != "Z":
            children.append(int(stat.parent.name))
    return children


def arguments_of(process: int) -> list[str]:
    """The words of the command that a process was started with; none if it has ended."""
    try:
        return (PROC / str(process) / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def activity_of(process: int) -> Activity | None:
    """What a process does; None if it has ended, or cannot be looked at now."""
    try:
        fields = _fields(PROC / str(process) / "stat")
    except OSError:
        return None
    return Activity(fields[0] == "T", (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND)


def sleeps(process: int) -> bool:
    """Whether no thread of a process runs, is ready to, or waits for a disk; not so of one that has ended."""
    states = set()
    try:
        for thread in (PROC / str(process) / "task").iterdir():
            with contextlib.suppress(OSError):  # it ended meanwhile
                states.add(_fields(thread / "stat")[0])
    except OSError:
        return False
    return not states & {"R", "D"}


def _fields(stat: Path) -> list[str]:
    """State, parent and so on of "pid (command) state parent …"; the command may hold blanks and brackets."""
    return stat.read_text(errors="replace").rpartition(")")[2].split()


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
