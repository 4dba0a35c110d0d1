"""What processes hold, looked at again and again: resident memory and file descriptors."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import significant

LOOK_SECONDS = 1.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_ESTABLISHED, _LISTENING = "01", "0A"
"""States of a connection, as the kernel writes them."""


@dataclass(frozen=True)
class Held:
    """What a process holds.

    Attributes:
        resident_bytes: of memory.
        descriptors: open files, but for connections that others have made to it: these are theirs.
    """

    resident_bytes: int
    descriptors: int

    @classmethod
    def of(cls, process: int) -> Held:
        """What a process holds now.

        Raises:
            OSError: it has ended.
        """
        folder = Path("/proc") / str(process)
        resident = int((folder / "statm").read_text().split()[1]) * _PAGE
        files = [file for file in map(_target, (folder / "fd").iterdir()) if file]
        connected = _connected(folder, set(files))
        return cls(resident, sum(file not in connected for file in files))


def _target(descriptor: Path) -> str:
    """What a descriptor is of; empty where it was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


def _connected(folder: Path, files: set[str]) -> set[str]:
    """Those of a process's sockets that are connections to a port at which it listens."""
    sockets = [socket for socket in _sockets(folder) if socket[2] in files]
    ports = {port for port, state, _ in sockets if state == _LISTENING}
    return {name for port, state, name in sockets if state == _ESTABLISHED and port in ports}


def _sockets(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Port, state and name of each TCP socket that a process could have."""
    for family in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for line in (folder / "net" / family).read_text().splitlines()[1:]:
                fields = line.split()
                yield fields[1].rpartition(":")[2], fields[3], f"socket:[{fields[9]}]"


@dataclass(frozen=True)
class Looks:
    """What one process held each time.

    Attributes:
        begin, end: at the begin and at the end, while it had the same to do.
    """

    begin: Sequence[Held]
    end: Sequence[Held]

    def as_json(self) -> dict[str, Any]:
        """Of memory the medians, and by how much it grew; of descriptors the most."""
        first, last = (
            float(np.median([held.resident_bytes for held in some])) for some in (self.begin, self.end)
        )
        return {
            "resident_mib": [significant(first / 2**20), significant(last / 2**20)],
            "resident_growth": significant(last / first - 1),
            "descriptors": [max(held.descriptors for held in some) for some in (self.begin, self.end)],
            "looks": len(self.begin) + len(self.end),
        }


@asynccontextmanager
async def watched(processes: Mapping[str, int]) -> AsyncIterator[dict[str, list[Held]]]:
    """Look at processes, given their ids by name, as long as the block lasts; what was seen, by name.

    Raises:
        OSError: one has ended meanwhile.
    """
    looks = {name: [Held.of(process)] for name, process in processes.items()}

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for name, process in processes.items():
                looks[name].append(Held.of(process))

    looking = asyncio.create_task(look())
    try:
        yield looks
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
