"""What each attempt at an engine call costs, told to the pace."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from time import monotonic

from relatent_service.engine.around import EngineAround
from relatent_service.engine.engine import Answer, Array, CutShort, Engine, EngineTimedOut
from relatent_service.engine.runs import runs_of
from relatent_service.traffic.pace import Pace


class MeasuredEngine(EngineAround):
    """An engine whose pace is learnt.

    It stands below whatever repeats calls, so that each attempt is measured by itself: those that find the
    engine away are an outage, and teach nothing of what graphs cost.

    Args:
        engine: the one to ask.
        pace: told of every attempt.
    """

    def __init__(self, engine: Engine, pace: Pace) -> None:
        super().__init__(engine)
        self._pace = pace

    async def infer(self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None) -> Answer:
        """Run a graph; see `Engine.infer`."""
        began, entered = monotonic(), self._pace.enter()
        learn: Callable[[str, int, float], None] | None = None
        attempt_seconds = math.inf
        try:
            answer = await self._engine.infer(graph, inputs, timeout)
            learn, attempt_seconds = self._pace.measure, answer.seconds
        except (asyncio.CancelledError, EngineTimedOut) as error:
            # Else an engine that is too slow for any call to end would pass for as fast as it was.
            learn = self._pace.at_least
            if isinstance(error.__cause__, CutShort):
                attempt_seconds = error.__cause__.seconds
            raise
        finally:
            charged, seconds = self._pace.leave(entered), monotonic() - began
            if learn is not None:
                # Of several servers, those before the last one asked were away.
                share = min(1.0, attempt_seconds / seconds) if seconds else 1.0
                learn(graph, runs_of(inputs), charged * share)
        return answer
