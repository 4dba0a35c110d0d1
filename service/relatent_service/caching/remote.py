"""Results in a store that several servers share: a help while it answers, and never a hindrance.

Whatever is wrong with it, the call goes on without: it has milliseconds to answer, what it answers is held
against a checksum and the plan, and once it has failed it is left alone for a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Protocol, TypeVar

from relatent_service.caching.results import NotAResult, from_bytes, to_bytes
from relatent_service.inversion.inverter import Result
from relatent_service.inversion.job import Plan
from relatent_service.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_BYTES = 16 * 2**20
"""Of one result; larger ones stay in the process that found them."""
GET_SECONDS, PUT_SECONDS = 0.1, 2.0
"""What the store has to answer: somebody waits for the one, nobody for the other."""
REST_SECONDS = 5.0
"""How long it is left alone after it failed."""
MOST_PUTS = 8
"""Results on their way to it; further ones are not sent."""


class StoreFailed(Exception):
    """A store did not do what it was asked to."""


class Store(Protocol):
    """Bytes by key, somewhere else."""

    async def get(self, key: str, most: int) -> bytes | None:
        """What was put there, cut after `most` bytes and one; None where nothing is.

        Raises:
            StoreFailed: it cannot be told.
        """

    async def put(self, key: str, value: bytes) -> None:
        """Keep a value, for a while.

        Raises:
            StoreFailed: it is not kept.
        """

    async def close(self) -> None:
        """Let go of it."""


class RemoteResults:
    """The one owner of a store.

    Args:
        store: where results are.
        metrics: told of what goes wrong.
    """

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._puts: set[asyncio.Task[None]] = set()
        self._rests_until = 0.0
        self._failing = False

    async def find(self, key: str, plan: Plan) -> Result | None:
        """The result of a key, if the store has it and says so in time."""
        data = await self._ask(lambda: self._store.get(key, MOST_BYTES), GET_SECONDS)
        if data is None:
            return None
        try:
            # One that is too large is cut, and fails for its checksum.
            return await asyncio.to_thread(from_bytes, plan, data[:MOST_BYTES])
        except NotAResult as error:
            self._metrics.cache_errors.labels("not_a_result").inc()
            log.warning("what the shared cache has is no result", extra={"key": key, "why": str(error)})
            return None

    def keep(self, key: str, result: Result) -> None:
        """Send a result there; nobody waits for it."""
        if len(self._puts) >= MOST_PUTS:
            self._metrics.cache_errors.labels("busy").inc()
            return
        task = asyncio.create_task(self._put(key, result))
        self._puts.add(task)
        task.add_done_callback(self._puts.discard)

    async def close(self) -> None:
        """Let what is on its way arrive, and let go of the store."""
        await asyncio.gather(*self._puts)
        await self._store.close()

    async def _put(self, key: str, result: Result) -> None:
        data = await asyncio.to_thread(to_bytes, result)
        if len(data) > MOST_BYTES:
            self._metrics.cache_errors.labels("too_large").inc()
            return
        await self._ask(lambda: self._store.put(key, data), PUT_SECONDS)

    async def _ask(self, ask: Callable[[], Awaitable[T]], seconds: float) -> T | None:
        """What the store says; None where it says nothing, or is left alone."""
        if monotonic() < self._rests_until:
            return None
        try:
            async with asyncio.timeout(seconds):
                answer = await ask()
        except TimeoutError:
            self._fail("slow", f"no answer within {seconds:g} s")
            return None
        except StoreFailed as error:
            self._fail("failed", str(error))
            return None
        if self._failing:
            self._failing = False
            log.info("the shared cache answers again")
        return answer

    def _fail(self, reason: str, why: str) -> None:
        self._metrics.cache_errors.labels(reason).inc()
        self._rests_until = monotonic() + REST_SECONDS
        if not self._failing:
            self._failing = True
            log.warning("the shared cache fails; going on without it until it answers", extra={"why": why})
