"""`relatent.v1.DiffusionService`."""

from __future__ import annotations

from dataclasses import dataclass

from relatent.v1 import diffusion_pb2, diffusion_pb2_grpc
from relatent_service.catalog import ServedPacks
from relatent_service.editing.stitching import Pixels, Stitched
from relatent_service.images.codec import Format
from relatent_service.inversion.inverter import Inverter
from relatent_service.inversion.job import Job
from relatent_service.rpc.context import Context, call_of
from relatent_service.rpc.inversion import last_result, result_message
from relatent_service.rpc.messages import encode, image_message
from relatent_service.rpc.reading.diffusion import read_diffusion
from relatent_service.rpc.reading.images import Decoder
from relatent_service.rpc.reading.options import MASK
from relatent_service.settings import ServerSettings
from relatent_service.traffic.admission import Admission


@dataclass(frozen=True)
class DiffusionServicer(diffusion_pb2_grpc.DiffusionServiceServicer):
    """Puts a part of one image into another."""

    packs: ServedPacks
    settings: ServerSettings
    admission: Admission
    inverter: Inverter
    decoder: Decoder

    async def Diffuse(  # noqa: N802
        self, request: diffusion_pb2.DiffuseRequest, context: Context
    ) -> diffusion_pb2.DiffuseResponse:
        """Invert the stitched image, counting the region and anchored at the context."""
        call = call_of(context, request)
        parsed = read_diffusion(self.packs, self.settings, request)
        inversion, layout = parsed.inversion, parsed.inversion.output_format
        async with self.admission.slot(inversion.plan.work, call) as slot:
            stitched = await parsed.read_stitched(self.decoder)
            job = Job(inversion.plan, stitched.image, {MASK: stitched.mask}, stitched.context)
            with inversion.naming_fields():
                result = await last_result(self.inverter, job, call, slot)
        response = await encode(_response, stitched, result.reconstruction, parsed.blend, layout)
        response.inversion.CopyFrom(await result_message(result, layout, call))
        return response


def _response(stitched: Stitched, made: Pixels, blend: bool, layout: Format) -> diffusion_pb2.DiffuseResponse:
    image = stitched.blended(made) if blend else made
    return diffusion_pb2.DiffuseResponse(
        image=image_message(image, layout),
        border_error=stitched.border_error(image),
        stitched_border_error=stitched.border_error(stitched.image),
    )
