"""Repeats calls that an engine could not answer."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping

from relatent_service.engine.around import EngineAround
from relatent_service.engine.engine import Answer, Array, Engine, EngineUnavailable

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 20.0
"""How long a call is repeated, from its first failure on. Longer than a small Triton takes to start again; a
large one may take minutes, and callers that know another service had better go there."""


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
        """Run a graph, again and again while the engine is unavailable, for PATIENCE_SECONDS.

        Pauses double from FIRST_PAUSE_SECONDS to LONGEST_PAUSE_SECONDS, each shortened by up to half at
        random.

        Raises:
            EngineUnavailable: the engine was unavailable until these, or the timeout, were up.
            EngineTimedOut, EngineRejected: as the engine says.
        """
        clock = asyncio.get_running_loop().time
        deadline = None if timeout is None else clock() + timeout
        patience: float | None = None
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._engine.infer(
                    graph, inputs, None if deadline is None else deadline - clock()
                )
            except EngineUnavailable:
                if patience is None:
                    patience = min(clock() + PATIENCE_SECONDS, math.inf if deadline is None else deadline)
                wait = pause * random.uniform(0.5, 1)
                if clock() + wait >= patience:
                    raise
            await asyncio.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._on_retry()
