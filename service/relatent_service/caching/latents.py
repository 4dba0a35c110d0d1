"""The cache of latents: what equal calls find, now or later, is found once.

A picture is known before it is decoded by its bytes, and before its call has a slot: what is known is
answered although nothing could be inverted in time. The same picture in other bytes is known once it is
decoded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from time import monotonic

from relatent.core.stopping import StopReason
from relatent_service.caching.flights import Flights, Seat
from relatent_service.caching.keys import Came, GraphsUnknown, joined, pixel_digest, plan_digest
from relatent_service.caching.memory import Newest
from relatent_service.caching.remote import RemoteResults
from relatent_service.caching.results import settled, size_of
from relatent_service.engine.engine import Graph
from relatent_service.errors import InvalidField
from relatent_service.inversion.inverter import Result
from relatent_service.inversion.job import Job, Plan
from relatent_service.inversion.plausibility import Implausible
from relatent_service.inversion.refinement import LossNotFinite
from relatent_service.telemetry.metrics import Metrics
from relatent_service.traffic.call import Call

log = logging.getLogger(__name__)

PICTURES = 16384
"""How many are known by their bytes; 64 bytes each, and what Python adds."""
_FAULTS = (InvalidField, LossNotFinite, Implausible)
"""Faults of a request, which all equal ones have."""
_CUT_SHORT = (StopReason.TIME_BUDGET, StopReason.DEADLINE)


class Turn:
    """What a call that is to invert has of the cache; this one has nothing.

    Attributes:
        found: the result, where an equal call found it; None for one that is to invert.
    """

    def __init__(self) -> None:
        self.found: Result | None = None

    async def look_up(self, job: Job) -> None:
        """Look again, now that the picture is decoded."""

    def keep(self, result: Result) -> None:
        """Keep what this call came to, and give it to all that wait for it."""

    @contextmanager
    def away(self, seconds: float) -> Iterator[None]:
        """Wait for a reader; after so many seconds those that wait for the result go on without this call."""
        yield


class LatentCache:
    """The one owner of results that are kept, and of who waits for whom.

    Args:
        room: bytes of results in this process.
        remote: those that several servers share; None for none.
        most_waiting: calls that may wait for others' results.
        graphs: the engine's, as it has them now.
        metrics: told of what is found.
    """

    def __init__(
        self,
        room: int,
        remote: RemoteResults | None,
        most_waiting: int,
        graphs: Callable[[], Mapping[str, Graph]],
        metrics: Metrics,
    ) -> None:
        self._is_on = room > 0 or remote is not None
        self._results = Newest[str, Result](room)
        self._pictures = Newest[bytes, bytes](PICTURES)
        self._remote = remote
        self._flights = Flights[Result](most_waiting, _FAULTS)
        self._graphs = graphs
        self._metrics = metrics
        metrics.cache_bytes.set_function(lambda: self._results.weight)
        self._told = False

    @asynccontextmanager
    async def turn(self, plan: Plan, came: Came | None, call: Call) -> AsyncIterator[Turn]:
        """Find the result of an inversion, or be the one that is to find it.

        Args:
            plan: how to invert.
            came: what; None for what is not to be looked for, nor kept.
            call: whose time it is; waiting for another's result counts as waiting for a slot.

        Raises:
            OutOfTime: an equal call did not find it in the time that this one may wait.
        """
        planned = None if came is None else self._planned(plan)
        if came is None or planned is None:
            yield Turn()
            return
        picture = await asyncio.to_thread(came.digest, plan.pack.resolution)
        async with self._seat(plan, joined(planned, picture), call) as seat:
            turn = _KeptTurn(self, plan, planned, picture, seat)
            if seat.found is not None:
                turn.found = seat.found
                self._metrics.cache_lookups.labels("shared").inc()
            else:
                await turn.look_up_picture()
            yield turn

    async def close(self) -> None:
        """Let go of the store, after all that is on its way to it."""
        if self._remote is not None:
            await self._remote.close()

    def pixels_of(self, picture: bytes) -> bytes | None:
        """The digest of the pixels of a picture that came before."""
        return self._pictures.get(picture)

    def learn(self, picture: bytes, pixels: bytes) -> None:
        """Know a picture by its bytes from now on."""
        self._pictures.put(picture, pixels)

    async def find(self, key: str, plan: Plan) -> Result | None:
        """The result of a key, wherever it is."""
        outcome, found = "hit", self._results.get(key)
        if found is None and self._remote is not None:
            outcome, found = "hit_redis", await self._remote.find(key, plan)
            if found is not None:
                self._results.put(key, found, size_of(found))
        self._metrics.cache_lookups.labels("miss" if found is None else outcome).inc()
        return found

    def put(self, key: str, result: Result) -> None:
        """Keep a result."""
        self._results.put(key, result, size_of(result))
        if self._remote is not None:
            self._remote.keep(key, result)

    def _planned(self, plan: Plan) -> bytes | None:
        """The digest of a plan; None where its results are not to be kept."""
        if not self._is_on:
            return None
        try:
            return plan_digest(plan, self._graphs())
        except GraphsUnknown as error:
            if not self._told:
                self._told = True
                log.warning("latents are not cached: %s", error)
            return None

    @asynccontextmanager
    async def _seat(self, plan: Plan, key: str, call: Call) -> AsyncIterator[Seat[Result]]:
        """A seat in the flight of equal calls.

        A call that answers when its time is up has one of its own: its time is not to pass with waiting, and
        what it has by then is not what others want. And calls of one class wait for each other only: an
        interactive call is not to be as late as a bulk one that was first.
        """
        if plan.rules.answers_when_time_is_up:
            yield Seat(self._flights, None)
            return
        began = monotonic()
        async with self._flights.seat(f"{key} {call.traffic_class}", call.engine_timeout()) as seat:
            call.queue_seconds += monotonic() - began
            yield seat


class _KeptTurn(Turn):
    """A call's turn where results are kept."""

    def __init__(
        self, cache: LatentCache, plan: Plan, planned: bytes, picture: bytes, seat: Seat[Result]
    ) -> None:
        super().__init__()
        self._cache, self._plan, self._planned, self._picture = cache, plan, planned, picture
        self._seat = seat
        self._key = ""

    async def look_up_picture(self) -> None:
        """Look for a picture that is known by its bytes."""
        pixels = self._cache.pixels_of(self._picture)
        if pixels is not None:
            await self._find(pixels)

    async def look_up(self, job: Job) -> None:
        if self._key:
            return  # it was looked for, in vain
        pixels = await asyncio.to_thread(pixel_digest, job)
        self._cache.learn(self._picture, pixels)
        await self._find(pixels)

    def keep(self, result: Result) -> None:
        if result.stop_reason in _CUT_SHORT:
            return
        kept = settled(result)
        self._cache.put(self._key, kept)
        self._seat.land(kept)

    @contextmanager
    def away(self, seconds: float) -> Iterator[None]:
        timer = asyncio.get_running_loop().call_later(seconds, self._seat.pass_on)
        try:
            yield
        finally:
            timer.cancel()

    async def _find(self, pixels: bytes) -> None:
        self._key = joined(self._planned, pixels)
        self.found = await self._cache.find(self._key, self._plan)
        if self.found is not None:
            self._seat.land(self.found)
