"""Files that are read again when they change, without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

LOOK_SECONDS = 1.0
"""Between two looks."""


class Renewable(Protocol):
    """Something that was read from files."""

    def renew(self) -> None:
        """Read the files again if they have changed; keep what there is where they are unusable."""


async def keep_renewing(watched: Sequence[Renewable]) -> None:
    """Have things renew themselves for ever, in a thread, as a file may be far away."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        for one in watched:
            await asyncio.to_thread(one.renew)
