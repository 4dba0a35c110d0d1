"""Sessions of `relatent.v1.EditingService`: one source, and the newest of its changes answered.

A session holds a slot while a change is at work, and none while it waits for one or for its caller to read:
that costs the memory of one change and one answer, of so many sessions and for so long as
`relatent_service.editing.open_sessions` allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from relatent.core.pack import Pack
from relatent.core.tracing import span
from relatent.v1 import editing_pb2
from relatent_service.catalog import ServedPacks
from relatent_service.editing.canvas import EditedSource
from relatent_service.editing.open_sessions import IDLE_SECONDS, OPENING_SECONDS, OpenSessions, within
from relatent_service.editing.region import Region
from relatent_service.editing.session import NewestChange, NumberNotRising, TakenChange
from relatent_service.editing.synthesizer import Synthesizer
from relatent_service.errors import InvalidField, Overloaded, OverWholeQuota, QuotaUsed
from relatent_service.images.codec import Format
from relatent_service.rpc.context import read_traffic_class
from relatent_service.rpc.edited import edited_messages
from relatent_service.rpc.inversion import inverted_message
from relatent_service.rpc.inverting import Inversions
from relatent_service.rpc.messages import timings_message
from relatent_service.rpc.reading.images import Decoder
from relatent_service.rpc.reading.operations import read_edit
from relatent_service.rpc.reading.options import read_inversion
from relatent_service.rpc.reading.region import read_region
from relatent_service.rpc.reading.values import read_output_format, read_source_code
from relatent_service.rpc.status import reason_of, refusal
from relatent_service.settings import ServerSettings
from relatent_service.telemetry.metrics import Metrics
from relatent_service.traffic.call import REQUEST_ID, Call
from relatent_service.traffic.lifecycle import Lifecycle, shutting_down

_OPEN = "open."
_CHANGE = "change."
_REFUSED = (InvalidField, Overloaded, OverWholeQuota, QuotaUsed)
"""What is wrong with one change alone; all else ends its session."""


@dataclass(frozen=True)
class _Source:
    """What a session edits, and how it answers."""

    pack: Pack
    edited: EditedSource
    region: Region | None
    layout: Format


class _Incoming:
    """What the caller sends, as it comes; all of it is read at once, whatever is at work."""

    def __init__(self, metrics: Metrics) -> None:
        loop = asyncio.get_running_loop()
        self._opening: asyncio.Future[editing_pb2.EditSessionOpening] = loop.create_future()
        self.changes = NewestChange[editing_pb2.EditChange](metrics.changes.labels("dropped").inc)

    async def opening(self) -> editing_pb2.EditSessionOpening:
        """What opens the session; not kept, as it may hold a large picture."""
        opening = await self._opening
        self._opening = asyncio.get_running_loop().create_future()
        self._opening.cancel()  # done, and empty
        return opening

    def fail(self, error: Exception) -> None:
        """The session cannot go on."""
        if not self._opening.done():
            self._opening.set_exception(error)
        self.changes.fail(error)

    async def read(self, requests: AsyncIterator[editing_pb2.EditStreamRequest]) -> None:
        """Sort all that comes."""
        try:
            coming = aiter(requests)
            while await self._sort_next(coming):
                pass
            self._end()
        except Exception as error:  # whatever it is, the session ends with it
            self.fail(error)

    async def _sort_next(self, coming: AsyncIterator[editing_pb2.EditStreamRequest]) -> bool:
        """Sort the next message, and keep nothing else of it; whether there was one."""
        request = await anext(coming, None)
        if request is None:
            return False
        self._sort(request)
        return True

    def _end(self) -> None:
        if not self._opening.done():
            raise InvalidField("open", "expected a message that opens the session, got none")
        self.changes.end()

    def _sort(self, request: editing_pb2.EditStreamRequest) -> None:
        kind = request.WhichOneof("message")
        if not self._opening.done():
            if kind != "open":
                raise InvalidField("open", "expected the first message to open the session")
            self._opening.set_result(request.open)
            return
        if kind == "open":
            raise InvalidField("open", "expected no second opening: a session has one source")
        if kind is None:
            raise InvalidField("change", "expected a change, got an empty message")
        try:
            self.changes.put(request.change.number, request.change)
        except NumberNotRising as error:
            before = error.before
            what = "the first to be at least 1" if before == 0 else f"one above the last, {before}"
            raise InvalidField(f"{_CHANGE}number", f"expected {what}, got {request.change.number}") from error


@dataclass(frozen=True)
class EditSessions:
    """Answers `EditStream`."""

    packs: ServedPacks
    settings: ServerSettings
    synthesizer: Synthesizer
    inversions: Inversions
    decoder: Decoder
    lifecycle: Lifecycle
    metrics: Metrics
    lasting: OpenSessions

    async def answers(
        self, requests: AsyncIterator[editing_pb2.EditStreamRequest], call: Call
    ) -> AsyncIterator[editing_pb2.EditStreamResponse]:
        """Open a session and answer its changes until its caller has sent all, or it cannot go on.

        Raises:
            NotReady: the server shuts down.
            Overloaded: it holds as many sessions as it can.
            SessionIdle: the caller says nothing.
            ServiceError: the opening, or the order of messages, is not what it must be.
        """
        with self.lasting.one_more():
            incoming = _Incoming(self.metrics)
            tasks = [
                asyncio.create_task(incoming.read(requests)),
                asyncio.create_task(self._drained(incoming)),
            ]
            try:
                opening = await within(OPENING_SECONDS, incoming.opening(), "message that opens it")
                source, opened = await self._open(opening, call)
                yield editing_pb2.EditStreamResponse(opened=opened)
                del opening, opened  # their pictures are not needed while the session lasts
                while (change := await within(IDLE_SECONDS, incoming.changes.take(), "change")) is not None:
                    yield editing_pb2.EditStreamResponse(answer=await self._answer(source, change, call))
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _drained(self, incoming: _Incoming) -> None:
        await self.lifecycle.until_draining()
        incoming.fail(shutting_down())

    async def _open(
        self, opening: editing_pb2.EditSessionOpening, call: Call
    ) -> tuple[_Source, editing_pb2.EditSessionOpened]:
        call.traffic_class = read_traffic_class(opening, _OPEN)
        layout = read_output_format(opening.output_format, f"{_OPEN}output_format")
        match opening.WhichOneof("source"):
            case "latent":
                pack, code = read_source_code(self.packs, opening.latent, f"{_OPEN}latent")
                asked = read_region(pack, opening, prefix=_OPEN)
                region = await self.decoder.read_region(asked, pack.resolution)
                return _Source(pack, EditedSource(code), region, layout), editing_pb2.EditSessionOpened()
            case "image":
                return await self._open_image(opening, layout, call)
            case _:
                raise InvalidField(f"{_OPEN}source", "expected latent or image, got neither")

    async def _open_image(
        self, opening: editing_pb2.EditSessionOpening, layout: Format, call: Call
    ) -> tuple[_Source, editing_pb2.EditSessionOpened]:
        image = opening.image
        parsed = read_inversion(self.packs, self.settings, image.image, image.options, f"{_OPEN}image.")
        pack = parsed.plan.pack
        asked = read_region(pack, opening, parsed, _OPEN)
        region = await self.decoder.read_region(asked, pack.resolution)
        inverted = await self.inversions.result(parsed, call)
        inversion = await inverted_message(inverted, parsed.output_format, call)
        source = _Source(pack, EditedSource(inverted.result.code.broadcast(pack.layers)), region, layout)
        return source, editing_pb2.EditSessionOpened(inversion=inversion)

    async def _answer(
        self, source: _Source, change: TakenChange[editing_pb2.EditChange], session: Call
    ) -> editing_pb2.EditChangeAnswer:
        """Do a change, or say why not."""
        call = Call(session.deadline, change.came, session.traffic_class)
        answer = editing_pb2.EditChangeAnswer(number=change.number, dropped=change.dropped)
        with span("change") as made:
            made.set("relatent.change", change.number)
            made.set("relatent.dropped", change.dropped)
            try:
                answer.edited.CopyFrom(await self._edited(source, change.asked, call))
            except _REFUSED as error:
                answer.refusal.CopyFrom(refusal(error, REQUEST_ID.get()))
                made.set("relatent.reason", reason_of(error))
        self.metrics.changes.labels("answered" if answer.HasField("edited") else "refused").inc()
        answer.timings.CopyFrom(timings_message(call))
        return answer

    async def _edited(
        self, source: _Source, change: editing_pb2.EditChange, call: Call
    ) -> editing_pb2.EditedImage:
        parsed = read_edit(source.pack, change.operations, 1, source.edited.code.space, _CHANGE)
        with parsed.naming_fields():
            made = await self.synthesizer.edit_again(
                source.pack, source.edited, parsed.edit, call, source.region
            )
        (edited,) = await edited_messages(made, parsed, source.layout)
        return edited
