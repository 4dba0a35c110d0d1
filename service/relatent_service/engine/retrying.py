"""Repeats calls that an engine could not answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

from relatent_service.engine.around import EngineAround
from relatent_service.engine.engine import Answer, Array, Engine, EngineUnavailable

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""How long a call without a timeout is repeated, from its first failure on."""


class RetryingEngine(EngineAround):
    """An engine whose calls outlive its absences.

    Graphs are stateless, so a call may be repeated without harm.

    Args:
        engine: the one to ask.
        on_retry: called before each repetition.
    """

    def __init__(self, engine: Engine, on_retry: Callable[[], None]) -> None:
        super().__init__(engine)
        self._on_retry = on_retry

    async def infer(self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None) -> Answer:
        """Run a graph, again and again while the engine is unavailable, within the timeout.

        Pauses double from FIRST_PAUSE_SECONDS to LONGEST_PAUSE_SECONDS, each shortened by up to half at
        random.

        Raises:
            EngineUnavailable: the engine was unavailable until the time was up.
            EngineTimedOut, EngineRejected: as the engine says.
        """
        clock = asyncio.get_running_loop().time
        deadline = None if timeout is None else clock() + timeout
        patience = deadline
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._engine.infer(
                    graph, inputs, None if deadline is None else deadline - clock()
                )
            except EngineUnavailable:
                patience = patience or clock() + PATIENCE_SECONDS
                wait = pause * random.uniform(0.5, 1)
                if clock() + wait >= patience:
                    raise
            await asyncio.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._on_retry()
