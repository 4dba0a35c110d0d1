"""Files that are read again when they change, without a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks."""


class Renewable(Protocol):
    """Something that was read from files."""

    def renew(self) -> None:
        """Read the files again if they have changed; keep what there is where they are unusable."""


async def keep_renewing(watched: Sequence[Renewable]) -> None:
    """Have things renew themselves for ever, in a thread, as a file may be far away.

    Whatever goes wrong with one of them is logged, and it is tried again at the next look: a service that
    looked no more would let in keys that were taken back.
    """
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        for one in watched:
            try:
                await asyncio.to_thread(one.renew)
            except Exception:
                log.exception("a look for changed files failed")
