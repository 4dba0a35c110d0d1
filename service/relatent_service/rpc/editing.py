"""`relatent.v1.EditingService`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent.v1 import editing_pb2, editing_pb2_grpc
from relatent_service.catalog import Catalog
from relatent_service.engine.models import GraphKind, Models
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Format
from relatent_service.inversion.inverter import Inverter
from relatent_service.rpc.context import Context, call_of
from relatent_service.rpc.inversion import last_result, result_message
from relatent_service.rpc.messages import (
    image_message,
    latent_message,
    read_latent,
    read_output_format,
    timings_message,
)
from relatent_service.rpc.reading.images import Decoder
from relatent_service.rpc.reading.operations import Edit, read_edit
from relatent_service.rpc.reading.options import read_wish
from relatent_service.settings import Settings
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Work

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class EditingServicer(editing_pb2_grpc.EditingServiceServicer):
    """Moves latent codes along directions, mixes and interpolates them."""

    catalog: Catalog
    settings: Settings
    admission: Admission
    models: Models
    inverter: Inverter
    decoder: Decoder

    async def Edit(  # noqa: N802
        self, request: editing_pb2.EditRequest, context: Context
    ) -> editing_pb2.EditResponse:
        """Apply operations in order."""
        call = call_of(context)
        match request.WhichOneof("source"):
            case "latent":
                return await self._edit_latent(request, call)
            case "image":
                return await self._edit_image(request, call)
            case _:
                raise InvalidField("source", "expected latent or image, got neither")

    async def _edit_latent(self, request: editing_pb2.EditRequest, call: Call) -> editing_pb2.EditResponse:
        layout = read_output_format(request.output_format, "output_format")
        if not request.latent.pack:
            raise InvalidField("latent.pack", "expected the name of the code's pack, got none")
        pack = self.catalog.pack(request.latent.pack, "latent.pack")
        code = read_latent(pack, request.latent, "latent")
        edit = read_edit(pack, request.operations, self.settings.max_images)
        async with self.admission.place(Work({GraphKind.SYNTHESIZE.of(pack): edit.images}), call):
            codes = edit.run(code)
            pixels = await self.models.synthesize(pack, codes, call)
        return await _response(pack, edit, codes, pixels, layout, call)

    async def _edit_image(self, request: editing_pb2.EditRequest, call: Call) -> editing_pb2.EditResponse:
        layout = read_output_format(request.output_format, "output_format")
        source = request.image
        wish = read_wish(self.catalog, self.settings, source.image, source.options, "image.")
        pack = wish.job.pack
        edit = read_edit(pack, request.operations, self.settings.max_images)
        async with self.admission.place(self.inverter.work(wish.job, edit.images), call) as place:
            job = replace(await self.decoder.read_pixels(wish), images_after=edit.images)
            result = await last_result(self.inverter, job, call, place)
            codes = edit.run(result.code)
            pixels = await self.models.synthesize(pack, codes, call)
        response = await _response(pack, edit, codes, pixels, layout, call)
        response.inversion.CopyFrom(await result_message(result, wish.output_format, call))
        return response


async def _response(
    pack: Pack, edit: Edit, codes: Floats, pixels: Pixels, layout: Format, call: Call
) -> editing_pb2.EditResponse:
    strengths = edit.strip or (0.0,)

    def images() -> list[editing_pb2.EditedImage]:
        return [
            editing_pb2.EditedImage(
                latent=latent_message(pack, code), image=image_message(image, layout), strength=strength
            )
            for code, image, strength in zip(codes, pixels, strengths, strict=True)
        ]

    return editing_pb2.EditResponse(images=await asyncio.to_thread(images), timings=timings_message(call))
