"""`relatent.v1.EditingService`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from math import isfinite

from relatent.v1 import editing_pb2, editing_pb2_grpc
from relatent_service.catalog import ServedPacks
from relatent_service.editing.synthesizer import Images, Synthesizer
from relatent_service.errors import AttributesNotFinite, InvalidField
from relatent_service.images.codec import Format
from relatent_service.rpc.context import Context, begun, call_of
from relatent_service.rpc.edit_stream import EditSessions
from relatent_service.rpc.edited import edited_messages
from relatent_service.rpc.inversion import inverted_message
from relatent_service.rpc.inverting import Inversions, InvertedPicture
from relatent_service.rpc.messages import timings_message
from relatent_service.rpc.reading.editing import ParsedCodeEdit, ParsedImageEdit, read_edit_request
from relatent_service.rpc.reading.images import Decoder
from relatent_service.rpc.reading.operations import ParsedEdit
from relatent_service.rpc.reading.options import read_fit
from relatent_service.rpc.reading.values import read_image, read_output_format
from relatent_service.settings import ServerSettings
from relatent_service.traffic.call import Call
from relatent_service.traffic.quotas import Quotas


@dataclass(frozen=True)
class EditingServicer(editing_pb2_grpc.EditingServiceServicer):
    """Moves latent codes along directions, mixes and interpolates them."""

    packs: ServedPacks
    settings: ServerSettings
    synthesizer: Synthesizer
    inversions: Inversions
    decoder: Decoder
    sessions: EditSessions
    quotas: Quotas

    async def Edit(  # noqa: N802
        self, request: editing_pb2.EditRequest, context: Context
    ) -> editing_pb2.EditResponse:
        """Apply operations in order."""
        call = call_of(context, request)
        layout = read_output_format(request.output_format, "output_format")
        parsed = read_edit_request(self.packs, self.settings, request)
        self.quotas.check(parsed.own_work.steps)  # before a region's mask is decoded
        if isinstance(parsed, ParsedCodeEdit):
            return await self._edit_code(parsed, layout, call)
        return await self._edit_image(parsed, layout, call)

    def EditStream(  # noqa: N802
        self, requests: AsyncIterator[editing_pb2.EditStreamRequest], context: Context
    ) -> AsyncIterator[editing_pb2.EditStreamResponse]:
        """Hold a session; see `relatent_service.rpc.edit_stream`."""
        return self.sessions.answers(requests, begun(context))

    async def Read(  # noqa: N802
        self, request: editing_pb2.ReadRequest, context: Context
    ) -> editing_pb2.ReadResponse:
        """Read attributes off an image."""
        call = call_of(context, request)
        pack = self.packs.pack(request.pack, "pack")
        if not pack.attributes:
            raise InvalidField(
                "pack",
                f"expected a pack that reads attributes; {pack.name!r} has no attribute network",
                reason="NO_ATTRIBUTES",
            )
        image, fit = read_image(request.image, "image"), read_fit(request.fit, "fit")
        self.quotas.check(1)  # before the picture is decoded
        pixels = await self.decoder.read_square(image, fit, pack.resolution)
        readings = await self.synthesizer.read(pack, pixels, call)
        read = list(zip(pack.attributes, map(float, readings), strict=True))
        if bad := [attribute.name for attribute, reading in read if not isfinite(reading)]:
            raise AttributesNotFinite(
                "image", f"expected one that reads as finite numbers; {', '.join(bad)} do not"
            )
        return editing_pb2.ReadResponse(
            readings=[
                editing_pb2.AttributeReading(attribute=each.name, value=each.value(reading), unit=each.unit)
                for each, reading in read
            ],
            timings=timings_message(call),
        )

    async def _edit_code(
        self, parsed: ParsedCodeEdit, layout: Format, call: Call
    ) -> editing_pb2.EditResponse:
        pack, edit = parsed.pack, parsed.edit
        region = await self.decoder.read_region(parsed.region, pack.resolution)
        with edit.naming_fields():
            images = await self.synthesizer.edit(pack, parsed.code, edit.edit, call, region)
        return await _response(images, edit, layout, call)

    async def _edit_image(
        self, parsed: ParsedImageEdit, layout: Format, call: Call
    ) -> editing_pb2.EditResponse:
        inversion, edit, pack = parsed.inversion, parsed.edit, parsed.inversion.plan.pack
        region = await self.decoder.read_region(parsed.region, pack.resolution)
        async with aclosing(self.inversions.events(inversion, call)) as events:
            async for event in events:
                if isinstance(event, InvertedPicture):
                    inverted, code = event, event.result.code
                    with edit.naming_fields():
                        if event.slot is None:
                            images = await self.synthesizer.edit(pack, code, edit.edit, call, region)
                        else:
                            images = await self.synthesizer.edit_inverted(
                                pack, code, edit.edit, call, event.slot, region
                            )
        response = await _response(images, edit, layout, call)
        response.inversion.CopyFrom(await inverted_message(inverted, inversion.output_format, call))
        return response


async def _response(made: Images, parsed: ParsedEdit, layout: Format, call: Call) -> editing_pb2.EditResponse:
    return editing_pb2.EditResponse(
        images=await edited_messages(made, parsed, layout), timings=timings_message(call)
    )
