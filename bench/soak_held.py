"""What processes hold, looked at again and again: resident memory and file descriptors."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import significant

LOOK_SECONDS = 1.0
LOOKS = 15
"""The first and the last so many, at most, make the figures of the begin and the end."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Held:
    """What a process holds.

    Attributes:
        resident_bytes: of memory.
        descriptors: open files.
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
        return cls(
            int((folder / "statm").read_text().split()[1]) * _PAGE, len(list((folder / "fd").iterdir()))
        )


@dataclass
class Looks:
    """What one process held each time."""

    seen: list[Held] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Medians of the first and the last looks, and how much of the first memory grew by."""
        count = max(1, min(LOOKS, len(self.seen) // 2))
        begin, end = self.seen[:count], self.seen[-count:]
        first, last = (float(np.median([held.resident_bytes for held in some])) for some in (begin, end))
        return {
            "resident_mib": [significant(first / 2**20), significant(last / 2**20)],
            "resident_growth": significant(last / first - 1),
            "descriptors": [int(np.median([held.descriptors for held in some])) for some in (begin, end)],
            "looks": len(self.seen),
        }


@asynccontextmanager
async def watched(processes: Mapping[str, int]) -> AsyncIterator[dict[str, Looks]]:
    """Look at processes, given their ids by name, as long as the block lasts; what was seen, by name.

    Raises:
        OSError: one has ended meanwhile.
    """
    looks = {name: Looks([Held.of(process)]) for name, process in processes.items()}

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for name, process in processes.items():
                looks[name].seen.append(Held.of(process))

    looking = asyncio.create_task(look())
    try:
        yield looks
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
