"""Whether calls would be answered: from the engine's start on, and as long as the server runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from relatent.core.pack import Pack
from relatent_service.catalog import ServedPacks
from relatent_service.engine.agreement import disagreements
from relatent_service.engine.engine import Engine, EngineError
from relatent_service.inversion.refinement import LossNotFinite
from relatent_service.traffic.lifecycle import Lifecycle, State

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
WATCH_SECONDS = 0.5


class Readiness:
    """Brings the engine up and watches it.

    Args:
        engine: what is brought up and watched.
        rehearse: run once for every pack, when its graphs are there.
        packs: what is to be served.
        lifecycle: told when the server is ready.
        tell: told whether calls would be answered, at least whenever that changes.
    """

    def __init__(
        self,
        engine: Engine,
        rehearse: Callable[[Pack], Awaitable[None]],
        packs: ServedPacks,
        lifecycle: Lifecycle,
        tell: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._rehearse = rehearse
        self._packs = packs
        self._lifecycle = lifecycle
        self._tell = tell

    async def start(self) -> None:
        """Return once every graph is warm and agrees with its pack; until then, try again."""
        while (problem := await self._try_start()) is not None:
            self._lifecycle.why_not_ready = problem
            log.error("not ready", extra={"why": problem})
            await self._engine.stop()
            await asyncio.sleep(RETRY_SECONDS)
        self._lifecycle.serve()
        await self._tell(self._lifecycle.state is State.SERVING)

    async def watch(self) -> None:
        """Keep telling whether the server takes calls and the engine answers; never returns."""
        while True:
            healthy = self._lifecycle.state is State.SERVING and await self._is_engine_healthy()
            await self._tell(healthy and self._lifecycle.state is State.SERVING)
            await asyncio.sleep(WATCH_SECONDS)

    async def _is_engine_healthy(self) -> bool:
        """Whether it is; one that cannot be asked, for want of file descriptors or the like, is not."""
        try:
            return await self._engine.healthy()
        except Exception as error:
            log.warning("cannot tell whether the engine answers: %s", error)
            return False

    async def _try_start(self) -> str | None:
        """What keeps the server from being ready, or None."""
        try:
            await self._engine.start()
            problems = disagreements(self._packs.all.values(), self._engine.graphs)
            if problems:
                return "; ".join(problems)
            for pack in self._packs.all.values():
                await self._rehearse(pack)
        except (EngineError, LossNotFinite, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return None
