"""An embedded Triton where one can be had, this process where not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from relatent_service.engine.embedded.engine import EmbeddedEngine
from relatent_service.engine.engine import Answer, Array, Engine, EngineError, Graph

if TYPE_CHECKING:
    from relatent_service.engine.local import LocalEngine

log = logging.getLogger(__name__)


class FallingBackEngine:
    """The first of two engines that comes up.

    The second is taken whatever keeps the first from starting, or from answering at all once it has; it is
    kept from then on. Where the second does not come up either, what is wrong lies with what both are given,
    and both are tried again at the next start.

    Args:
        first: the better one.
        second: what does without all that the first needs.

    Attributes:
        engine: the one in use.
        note: why it is not the first; empty while it is.
    """

    def __init__(self, first: EmbeddedEngine, second: LocalEngine) -> None:
        self.engine: EmbeddedEngine | LocalEngine = first
        self.note = ""
        self._first, self._second = first, second
        self._failure = ""
        """Of the first, since something last answered."""
        self._answered = False

    @property
    def graphs(self) -> Mapping[str, Graph]:
        """Every graph, by name; empty before `start`."""
        return self.engine.graphs

    async def start(self) -> None:
        """Get one of them ready; returns when every graph answers.

        Raises:
            EngineUnavailable: neither comes up; the message is the second one's.
        """
        if self.note:
            return await self._second.start()
        if not self._failure:
            try:
                return await self._first.start()
            except Exception as error:
                self._failure = str(error) or type(error).__name__
        failure, self._failure = self._failure, ""
        await self._second.start()
        self.engine = self._second
        reason = "; ".join(line.strip() for line in failure.splitlines() if line.strip()).replace(":;", ":")
        self.note = f"no embedded Triton, graphs run in this process, unbatched: {reason}"
        log.warning("%s", self.note)
        return None

    async def healthy(self) -> bool:
        """Whether every graph would answer now."""
        return await self.engine.healthy()

    async def infer(self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None) -> Answer:
        """Run a graph; see `Engine.infer`."""
        engine: Engine = self.engine
        try:
            answer = await engine.infer(graph, inputs, timeout)
        except EngineError as error:
            if not self._answered:
                self._failure = f"it started, but {graph} failed: {error}"
            raise
        self._answered, self._failure = True, ""
        return answer

    async def stop(self) -> None:
        """Let go of everything; the engine may be started again."""
        await self.engine.stop()
