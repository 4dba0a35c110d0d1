"""`relatent.v1.InversionService`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.stopping import StopReason
from relatent.v1 import inversion_pb2, inversion_pb2_grpc, types_pb2
from relatent_service.catalog import ServedPacks
from relatent_service.images.codec import Format
from relatent_service.inversion.inverter import Inverter, Report, Result
from relatent_service.inversion.job import Job
from relatent_service.rpc.context import Context, call_of
from relatent_service.rpc.inverting import Inversions, InvertedPicture, Underway
from relatent_service.rpc.messages import (
    checkpoint_message,
    encode,
    image_message,
    in_domain_message,
    latent_message,
    quality_message,
    timings_message,
)
from relatent_service.rpc.reading.options import read_inversion
from relatent_service.settings import ServerSettings
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Slot

Pixels = NDArray[np.uint8]

REASONS = {
    StopReason.STEPS: inversion_pb2.STOP_REASON_STEPS,
    StopReason.TARGET_LOSS: inversion_pb2.STOP_REASON_TARGET_LOSS,
    StopReason.PLATEAU: inversion_pb2.STOP_REASON_PLATEAU,
    StopReason.TIME_BUDGET: inversion_pb2.STOP_REASON_TIME_BUDGET,
    StopReason.DEADLINE: inversion_pb2.STOP_REASON_DEADLINE,
}
"""Of refinements, as messages name them."""


@dataclass(frozen=True)
class InversionServicer(inversion_pb2_grpc.InversionServiceServicer):
    """Finds the latent code of images."""

    packs: ServedPacks
    settings: ServerSettings
    inversions: Inversions

    async def Invert(  # noqa: N802
        self, request: inversion_pb2.InvertRequest, context: Context
    ) -> inversion_pb2.InvertResponse:
        """Invert an image and answer once."""
        call = call_of(context, request)
        parsed = read_inversion(self.packs, self.settings, request.image, request.options)
        inverted = await self.inversions.result(parsed, call)
        return inversion_pb2.InvertResponse(
            result=await inverted_message(inverted, parsed.output_format, call)
        )

    async def InvertStream(  # noqa: N802
        self, request: inversion_pb2.InvertStreamRequest, context: Context
    ) -> AsyncIterator[inversion_pb2.InvertStreamResponse]:
        """Invert an image and report as it goes."""
        call = call_of(context, request)
        parsed = read_inversion(self.packs, self.settings, request.image, request.options).reporting(
            request.preview_every, request.checkpoint_every
        )
        async with aclosing(self.inversions.events(parsed, call)) as events:
            async for event in events:
                if isinstance(event, Underway):
                    progress = await progress_message(event.job, event.report, parsed.output_format)
                    async with event.away():
                        yield inversion_pb2.InvertStreamResponse(progress=progress)
                else:
                    inverted = event
        answer = await inverted_message(inverted, parsed.output_format, call)
        yield inversion_pb2.InvertStreamResponse(result=answer)


async def last_result(inverter: Inverter, job: Job, call: Call, slot: Slot) -> Result:
    """Invert without reports."""
    async with aclosing(inverter.invert(job, call, slot)) as events:
        async for event in events:
            if isinstance(event, Result):
                return event
    raise AssertionError("an inversion ends with its result")


async def inverted_message(
    inverted: InvertedPicture, layout: Format, call: Call
) -> inversion_pb2.InversionResult:
    """What came of an inversion, for an answer."""
    message = await result_message(inverted.result, layout, call)
    message.cached = inverted.cached
    return message


async def result_message(result: Result, layout: Format, call: Call) -> inversion_pb2.InversionResult:
    """An inversion's result for an answer."""
    return inversion_pb2.InversionResult(
        latent=latent_message(result.pack, result.code),
        reconstruction=await encode(image_message, result.reconstruction, layout),
        in_domain=in_domain_message(result.plausibility),
        beyond=None if result.beyond is None else await encode(_grey, result.beyond, layout),
        quality=quality_message(result.quality),
        losses=result.losses.tolist(),
        stop_reason=REASONS[result.stop_reason],
        steps=result.steps,
        timings=timings_message(call),
        method=result.method.name,
    )


def _grey(pixels: Pixels, layout: Format) -> types_pb2.Image:
    """A grey image uint8 [R, R] for an answer."""
    return image_message(np.repeat(pixels[:, :, None], 3, axis=2), layout)


async def progress_message(job: Job, report: Report, layout: Format) -> inversion_pb2.InversionProgress:
    """How far a refinement is, for a stream."""
    message = inversion_pb2.InversionProgress(
        steps=report.steps,
        total_steps=report.total_steps,
        loss=report.loss,
        best_loss=report.best_loss,
    )
    if report.preview is not None:
        message.preview.CopyFrom(await encode(image_message, report.preview, layout))
    if report.checkpoint is not None:
        message.checkpoint.CopyFrom(checkpoint_message(job.plan.pack, report.checkpoint))
    return message
