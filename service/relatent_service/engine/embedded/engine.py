"""The graphs of a model repository in a Triton of this process's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from relatent_service.engine.embedded.child import EmbeddedTriton
from relatent_service.engine.engine import Answer, Array, EngineConfused, EngineUnavailable, Graph
from relatent_service.engine.triton import TritonEngine


class EmbeddedEngine:
    """The graphs of a model repository in an embedded Triton.

    Attributes:
        triton: the process.
    """

    def __init__(self, repository: Path) -> None:
        self.triton = EmbeddedTriton(repository)
        self._engine: TritonEngine | None = None

    @property
    def graphs(self) -> Mapping[str, Graph]:
        """Every graph, by name; empty before `start`."""
        return self._engine.graphs if self._engine is not None else {}

    async def start(self) -> None:
        """Start Triton; returns when every graph answers.

        Raises:
            EngineUnavailable: it does not start.
        """
        await self.triton.start()
        self._engine = TritonEngine([self.triton.address])
        try:
            await self._engine.start()
        except BaseException:
            await self.stop()
            raise

    async def healthy(self) -> bool:
        """Whether every graph would answer now: Triton does, and nothing of it seems to hang."""
        return self._engine is not None and not self.triton.hangs and await self._engine.healthy()

    async def infer(self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None) -> Answer:
        """Run a graph; see `Engine.infer`."""
        if self._engine is None:
            raise EngineUnavailable("Triton is not started")
        asked = self.triton.pid
        with self.triton.calls.under_way(graph):
            try:
                answer = await self._engine.infer(graph, inputs, timeout)
            except EngineConfused as error:
                if self.triton.pid == asked:
                    self.triton.distrust(str(error))
                raise
        if self.triton.distrusted:
            raise EngineUnavailable("Triton is replaced, as it may mistake one call's answer for another's")
        return answer

    async def stop(self) -> None:
        """End Triton and let go of everything."""
        if self._engine is not None:
            await self._engine.stop()
            self._engine = None
        await self.triton.stop()
