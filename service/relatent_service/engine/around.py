"""Engines around others."""

from __future__ import annotations

from collections.abc import Mapping

from relatent_service.engine.engine import Answer, Array, Engine, Graph


class EngineAround:
    """An engine that has another do everything; kinds of it do more, mostly about calls.

    Args:
        engine: the other.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def graphs(self) -> Mapping[str, Graph]:
        """Every graph, by name; empty before `start`."""
        return self._engine.graphs

    async def start(self) -> None:
        """Get ready; see `Engine.start`."""
        await self._engine.start()

    async def healthy(self) -> bool:
        """Whether every graph would answer now."""
        return await self._engine.healthy()

    async def infer(self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None) -> Answer:
        """Run a graph; see `Engine.infer`."""
        return await self._engine.infer(graph, inputs, timeout)

    async def stop(self) -> None:
        """Let go of everything."""
        await self._engine.stop()
