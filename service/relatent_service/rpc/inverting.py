"""Inversions as calls ask for them: what equal calls found is not inverted again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from relatent_service.caching.keys import Came
from relatent_service.caching.latents import LatentCache, Turn
from relatent_service.inversion.inverter import Inverter, Report, Result
from relatent_service.inversion.job import Job
from relatent_service.rpc.reading.images import Decoder
from relatent_service.rpc.reading.options import ParsedInversion
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Slot

READER_SECONDS = 1.0
"""A reader that leaves a report unread for so long makes its call lose its slot until it reads on."""


@dataclass(frozen=True)
class Underway:
    """How far an inversion is.

    Attributes:
        job: what is inverted.
        report: how far it is.
        away: to be around sending the report to a reader, who may not read it.
    """

    job: Job
    report: Report
    away: Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class InvertedPicture:
    """What came of an inversion.

    Attributes:
        result: the same.
        slot: the call's, which it holds as long as it is at this event; None where the result was found.
    """

    result: Result
    slot: Slot | None

    @property
    def cached(self) -> bool:
        """Whether an equal call found it."""
        return self.slot is None


@dataclass(frozen=True)
class Inversions:
    """Inverts pictures for calls, or finds what equal calls came to."""

    admission: Admission
    inverter: Inverter
    decoder: Decoder
    cache: LatentCache

    async def events(
        self, parsed: ParsedInversion, call: Call
    ) -> AsyncGenerator[Underway | InvertedPicture, None]:
        """Invert a picture.

        Yields:
            How far it is, where it has to be inverted, and what came of it last.

        Raises:
            ServiceError, EngineError: as reading it, a slot, and the engine have it.
        """
        came = None if parsed.no_cache else Came(parsed.image, parsed.mask, parsed.fit)
        with parsed.naming_fields():
            async with self.cache.turn(parsed.plan, came, call) as turn:
                if turn.found is None:
                    async with aclosing(self._inverted(parsed, turn, call)) as events:
                        async for event in events:
                            yield event
            if turn.found is not None:
                parsed.plan.check_plausible(turn.found.plausibility)
                yield InvertedPicture(turn.found, None)

    async def result(self, parsed: ParsedInversion, call: Call) -> InvertedPicture:
        """The same without reports, and with the slot given back."""
        inverted = None
        async with aclosing(self.events(parsed, call)) as events:
            async for event in events:  # to their end, so that the admission learns how long the call took
                if isinstance(event, InvertedPicture):
                    inverted = event
        assert inverted is not None, "an inversion ends with its result"
        return inverted

    async def _inverted(
        self, parsed: ParsedInversion, turn: Turn, call: Call
    ) -> AsyncGenerator[Underway | InvertedPicture, None]:
        """Invert a picture with a slot, unless it is known once it is decoded."""
        async with self.admission.slot(parsed.plan.work, call) as slot:
            job = await self.decoder.read_pixels(parsed)
            await turn.look_up(job)
            if turn.found is not None:
                return
            async with aclosing(self.inverter.invert(job, call, slot)) as events:
                async for event in events:
                    if isinstance(event, Result):
                        turn.keep(event)
                        yield InvertedPicture(event, slot)
                    else:
                        yield Underway(job, event, partial(self._away, slot, turn))

    @asynccontextmanager
    async def _away(self, slot: Slot, turn: Turn) -> AsyncIterator[None]:
        with turn.away(READER_SECONDS):
            async with self.admission.away(slot, READER_SECONDS):
                yield
