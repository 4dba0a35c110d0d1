"""Lines up refinements, so that their chunks are ready at the same moment and run together.

Those that are go to Triton as one request (`relatent_service.engine.gathering`). Left to themselves,
refinements of equal chunks fall into two cohorts that never meet: one runs while the other waits, and when
the first comes back the second has just begun. Here a chunk that comes while others run waits for their
return, where it would only have waited in Triton's queue, and then goes with them.

Nobody waits long for anybody: a refinement that is busy elsewhere (a preview, a slow reader) is waited
for a moment, and one that does not come back from the engine for no longer than a chunk takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

GATHER_SHARE, MIN_GATHER_SECONDS, MAX_GATHER_SECONDS = 0.05, 0.001, 0.02
"""How long the engine may idle for latecomers, as a share of a chunk, and at least and at most."""


class Lockstep:
    """The one owner of who refines on one graph, who waits to go on, and who is at the engine.

    Args:
        chunk_seconds: how long a chunk takes at the engine, as far as is known.
    """

    def __init__(self, chunk_seconds: Callable[[], float]) -> None:
        self._chunk_seconds = chunk_seconds
        self._members = 0
        self._running = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def member(self) -> Iterator[None]:
        """Take part: the others wait for this one, and it for them."""
        self._members += 1
        try:
            yield
        finally:
            self._members -= 1
            self._consider()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Be waited for by none of the others, as long as this member waits for something else."""
        self._members -= 1
        self._consider()
        try:
            yield
        finally:
            self._members += 1

    @asynccontextmanager
    async def chunk(self) -> AsyncIterator[None]:
        """Wait for the others, then do a chunk at the engine."""
        await self._gather()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._since = asyncio.get_running_loop().time()
            self._consider()

    async def _gather(self) -> None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            self._since = loop.time()
        self._waiting.append(turn)
        self._consider()
        try:
            await turn
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
                self._consider()

    def _consider(self) -> None:
        """Let those who wait go on now, or see to it that they do in time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        if len(self._waiting) >= self._members:
            self._go()
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._since + self._patience(), self._go)

    def _patience(self) -> float:
        if self._running:
            return max(MIN_GATHER_SECONDS, self._chunk_seconds())
        return min(MAX_GATHER_SECONDS, max(MIN_GATHER_SECONDS, GATHER_SHARE * self._chunk_seconds()))

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
