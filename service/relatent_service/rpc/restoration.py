"""`relatent.v1.RestorationService`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from relatent.core.quality import decibels
from relatent.v1 import restoration_pb2, restoration_pb2_grpc
from relatent_service.catalog import ServedPacks
from relatent_service.images.codec import Format
from relatent_service.inversion.inverter import Inverter, Report, Result
from relatent_service.rpc.context import Context, call_of
from relatent_service.rpc.inversion import REASONS, last_result, progress_message
from relatent_service.rpc.inverting import READER_SECONDS
from relatent_service.rpc.messages import encode, image_message, latent_message, timings_message
from relatent_service.rpc.reading.given import Given
from relatent_service.rpc.reading.images import Decoder
from relatent_service.rpc.reading.restoration import read_restoration
from relatent_service.settings import ServerSettings
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call


@dataclass(frozen=True)
class RestorationServicer(restoration_pb2_grpc.RestorationServiceServicer):
    """Finds whole images that degraded ones come of."""

    packs: ServedPacks
    settings: ServerSettings
    admission: Admission
    inverter: Inverter
    decoder: Decoder

    async def Restore(  # noqa: N802
        self, request: restoration_pb2.RestoreRequest, context: Context
    ) -> restoration_pb2.RestoreResponse:
        """Restore an image and answer once."""
        call = call_of(context, request)
        parsed = read_restoration(self.packs, self.settings, request.image, request.options)
        async with self.admission.slot(parsed.inversion.plan.work, call) as slot:
            given = await self.decoder.read_given(parsed)
            with parsed.inversion.naming_fields():
                result = await last_result(self.inverter, given.job, call, slot)
        answer = await _result_message(result, given, parsed.inversion.output_format, call)
        return restoration_pb2.RestoreResponse(result=answer)

    async def RestoreStream(  # noqa: N802
        self, request: restoration_pb2.RestoreStreamRequest, context: Context
    ) -> AsyncIterator[restoration_pb2.RestoreStreamResponse]:
        """Restore an image and report as it goes."""
        call = call_of(context, request)
        parsed = read_restoration(self.packs, self.settings, request.image, request.options).reporting(
            request.preview_every, request.checkpoint_every
        )
        layout = parsed.inversion.output_format
        async with self.admission.slot(parsed.inversion.plan.work, call) as slot:
            given = await self.decoder.read_given(parsed)
            with parsed.inversion.naming_fields():
                async with aclosing(self.inverter.invert(given.job, call, slot)) as events:
                    async for event in events:
                        if isinstance(event, Report):
                            progress = await progress_message(given.job, event, layout)
                            async with self.admission.away(slot, READER_SECONDS):
                                yield restoration_pb2.RestoreStreamResponse(progress=progress)
                        else:
                            result = event
        answer = await _result_message(result, given, layout, call)
        yield restoration_pb2.RestoreStreamResponse(result=answer)


async def _result_message(
    result: Result, given: Given, layout: Format, call: Call
) -> restoration_pb2.RestorationResult:
    def made() -> restoration_pb2.RestorationResult:
        error = given.degradation.error(result.reconstruction, given.pixels)
        return restoration_pb2.RestorationResult(
            image=image_message(result.reconstruction, layout),
            latent=latent_message(result.pack, result.code),
            match=restoration_pb2.Match(mse=error, psnr=decibels(error)),
            losses=result.losses.tolist(),
            stop_reason=REASONS[result.stop_reason],
            steps=result.steps,
            timings=timings_message(call),
            method=result.method.name,
        )

    return await encode(made)
