"""A span for each attempt at an engine call, where calls are traced."""

from __future__ import annotations

from collections.abc import Mapping

from relatent.core.spans import SpanKind
from relatent.core.tracing import span, tracing
from relatent_service.engine.around import EngineAround
from relatent_service.engine.batches import samples_of
from relatent_service.engine.engine import Answer, Array, Engine
from relatent_service.engine.runs import STEPS


class TracedEngine(EngineAround):
    """An engine whose calls are spans.

    It stands below whatever repeats calls, so that each attempt is a span: what went wrong at the first, and
    how long nobody tried, is seen beside the one that went through. Calls on nobody's behalf, such as the
    rehearsal's, have none.
    """

    async def infer(self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None) -> Answer:
        """Run a graph; see `Engine.infer`."""
        with span(f"infer {graph}", SpanKind.CLIENT) as attempt:
            if attempt.recording:
                attempt.set("relatent.graph", graph)
                attempt.set("relatent.rows", samples_of(inputs))
                if STEPS in inputs:
                    attempt.set("relatent.steps", int(inputs[STEPS].max()))
            return await self._engine.infer(graph, inputs, timeout)


def traced(engine: Engine) -> Engine:
    """An engine with a span for each call; the same engine where nothing is traced, which costs nothing."""
    return TracedEngine(engine) if tracing() else engine
