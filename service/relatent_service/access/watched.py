"""Files that are read again when they change, without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

LOOK_SECONDS = 1.0
"""Between two looks."""

Stamp: TypeAlias = tuple[int, int, int] | None


class Renewable(Protocol):
    """Something that was read from files."""

    def renew(self) -> None:
        """Read the files again if they have changed; keep what there is where they are unusable."""


def stamps(paths: Iterable[Path]) -> tuple[Stamp, ...]:
    """What changes whenever files do, also by a link to them that leads elsewhere, as Kubernetes does it."""
    return tuple(map(_stamp, paths))


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


async def keep_renewing(watched: Sequence[Renewable]) -> None:
    """Have things renew themselves for ever, in a thread, as a file may be far away."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        for one in watched:
            await asyncio.to_thread(one.renew)
