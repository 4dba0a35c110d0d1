"""`relatent.v1.EditingService`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from math import isfinite

from relatent.v1 import editing_pb2, editing_pb2_grpc
from relatent_service.catalog import ServedPacks
from relatent_service.editing.synthesizer import Images, Synthesizer, edit_work
from relatent_service.errors import AttributesNotFinite, InvalidField
from relatent_service.images.codec import Format
from relatent_service.rpc.context import Context, begun, call_of
from relatent_service.rpc.edit_stream import EditSessions
from relatent_service.rpc.edited import edited_messages
from relatent_service.rpc.inversion import inverted_message
from relatent_service.rpc.inverting import Inversions, InvertedPicture
from relatent_service.rpc.messages import timings_message
from relatent_service.rpc.reading.images import Decoder
from relatent_service.rpc.reading.operations import ParsedEdit, read_edit
from relatent_service.rpc.reading.options import read_fit, read_inversion
from relatent_service.rpc.reading.region import read_region
from relatent_service.rpc.reading.values import read_image, read_output_format, read_source_code
from relatent_service.settings import ServerSettings
from relatent_service.traffic.call import Call


@dataclass(frozen=True)
class EditingServicer(editing_pb2_grpc.EditingServiceServicer):
    """Moves latent codes along directions, mixes and interpolates them."""

    packs: ServedPacks
    settings: ServerSettings
    synthesizer: Synthesizer
    inversions: Inversions
    decoder: Decoder
    sessions: EditSessions

    async def Edit(  # noqa: N802
        self, request: editing_pb2.EditRequest, context: Context
    ) -> editing_pb2.EditResponse:
        """Apply operations in order."""
        call = call_of(context, request)
        match request.WhichOneof("source"):
            case "latent":
                return await self._edit_latent(request, call)
            case "image":
                return await self._edit_image(request, call)
            case _:
                raise InvalidField("source", "expected latent or image, got neither")

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

    async def _edit_latent(self, request: editing_pb2.EditRequest, call: Call) -> editing_pb2.EditResponse:
        layout = read_output_format(request.output_format, "output_format")
        pack, code = read_source_code(self.packs, request.latent, "latent")
        parsed = read_edit(pack, request.operations, self.settings.max_images, code.space)
        region = await self.decoder.read_region(read_region(pack, request), pack.resolution)
        with parsed.naming_fields():
            images = await self.synthesizer.edit(pack, code, parsed.edit, call, region)
        return await _response(images, parsed, layout, call)

    async def _edit_image(self, request: editing_pb2.EditRequest, call: Call) -> editing_pb2.EditResponse:
        layout = read_output_format(request.output_format, "output_format")
        source = request.image
        parsed = read_inversion(self.packs, self.settings, source.image, source.options, "image.")
        pack = parsed.plan.pack
        space = parsed.plan.method.space
        edit = read_edit(pack, request.operations, self.settings.max_images, space)
        asked = read_region(pack, request, parsed)
        after = edit_work(pack, space, edit.edit, within=asked is not None)
        parsed = parsed.followed_by(edit.edit.least_images + (0 if asked is None else 1), after)
        region = await self.decoder.read_region(asked, pack.resolution)
        async with aclosing(self.inversions.events(parsed, call)) as events:
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
        response.inversion.CopyFrom(await inverted_message(inverted, parsed.output_format, call))
        return response


async def _response(made: Images, parsed: ParsedEdit, layout: Format, call: Call) -> editing_pb2.EditResponse:
    return editing_pb2.EditResponse(
        images=await edited_messages(made, parsed, layout), timings=timings_message(call)
    )
