"""A server of the contract that does what a test tells it to, faults included."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import numpy as np
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status
from PIL import Image

from relatent.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    diffusion_pb2,
    diffusion_pb2_grpc,
    editing_pb2,
    editing_pb2_grpc,
    inversion_pb2,
    inversion_pb2_grpc,
    restoration_pb2,
    restoration_pb2_grpc,
    synthesis_pb2,
    synthesis_pb2_grpc,
    types_pb2,
)
from tests.relatent.client.fake_catalog import PACK as PACK
from tests.relatent.client.fake_catalog import REVISION as REVISION
from tests.relatent.client.fake_catalog import SHAPE as SHAPE
from tests.relatent.client.fake_catalog import catalog as catalog
from tests.relatent.client.fake_catalog import estimate, limits, pack

Script = Callable[[inversion_pb2.InvertStreamRequest, "Context"], AsyncIterator[Any]]
Context = Any


def latent(value: float = 0.5) -> types_pb2.Latent:
    values = np.full(SHAPE, value, "<f4")
    return types_pb2.Latent(
        pack=PACK,
        revision=REVISION,
        space=types_pb2.LATENT_SPACE_W_PLUS,
        shape=SHAPE,
        values=values.tobytes(),
    )


def picture(colour: tuple[int, int, int] = (200, 100, 50)) -> types_pb2.Image:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return types_pb2.Image(data=buffer.getvalue(), format=types_pb2.IMAGE_FORMAT_PNG, width=8, height=8)


def loss(step: int) -> float:
    return float(np.float32(1 / (1 + step)))


def checkpoint(steps: int) -> inversion_pb2.Checkpoint:
    state = inversion_pb2.StateTensor(name="w", shape=SHAPE, values=latent().values)
    return inversion_pb2.Checkpoint(
        pack=PACK,
        revision=REVISION,
        steps=steps,
        state=[state],
        losses=[loss(step) for step in range(steps)],
    )


def progress(steps: int, **more: Any) -> inversion_pb2.InvertStreamResponse:
    return inversion_pb2.InvertStreamResponse(
        progress=inversion_pb2.InversionProgress(
            steps=steps, total_steps=20, loss=loss(steps), best_loss=loss(steps), **more
        )
    )


def result(steps: int, losses: list[float]) -> inversion_pb2.InvertStreamResponse:
    return inversion_pb2.InvertStreamResponse(
        result=inversion_pb2.InversionResult(
            latent=latent(),
            reconstruction=picture(),
            quality=types_pb2.Quality(mse=0.01, psnr=20.0, ssim=0.9, perceptual=0.1),
            losses=losses,
            stop_reason=inversion_pb2.STOP_REASON_STEPS,
            steps=steps,
        )
    )


async def inverts(
    request: inversion_pb2.InvertStreamRequest, context: Context
) -> AsyncIterator[inversion_pb2.InvertStreamResponse]:
    """Twenty steps in chunks of five, from a checkpoint where one is given."""
    first = request.options.checkpoint.steps
    for steps in range(first, 21, 5):
        yield progress(
            steps,
            preview=picture() if request.preview_every else None,
            checkpoint=checkpoint(steps) if request.checkpoint_every and steps > first else None,
        )
    yield result(20, [loss(step) for step in range(20)])


def restored(event: inversion_pb2.InvertStreamResponse) -> restoration_pb2.RestoreStreamResponse:
    """The same of a restoration."""
    if event.HasField("progress"):
        return restoration_pb2.RestoreStreamResponse(progress=event.progress)
    found = event.result
    return restoration_pb2.RestoreStreamResponse(
        result=restoration_pb2.RestorationResult(
            image=found.reconstruction,
            latent=found.latent,
            match=restoration_pb2.Match(mse=0.001, psnr=30.0),
            losses=found.losses,
            stop_reason=found.stop_reason,
            steps=found.steps,
            method="restore",
        )
    )


def opened() -> editing_pb2.EditStreamResponse:
    return editing_pb2.EditStreamResponse(opened=editing_pb2.EditSessionOpened())


def answered(number: int) -> editing_pb2.EditStreamResponse:
    edited = editing_pb2.EditedImage(latent=latent(), image=picture())
    return editing_pb2.EditStreamResponse(answer=editing_pb2.EditChangeAnswer(number=number, edited=edited))


async def answers_changes(requests: Any, context: Context) -> AsyncIterator[Any]:
    """A session of which every change is answered."""
    async for request in requests:
        yield answered(request.change.number) if request.HasField("change") else opened()


async def nothing(request: Any, context: Context) -> AsyncIterator[Any]:
    """For calls that do not stream: no fault, the usual answer."""
    for event in tuple[Any]():
        yield event


async def hangs(request: Any, context: Context) -> AsyncIterator[Any]:
    """Say nothing, ever."""
    await asyncio.Event().wait()
    yield


def fails(code: grpc.StatusCode, message: str, *details: Any) -> Callable[[Any, Context], AsyncIterator[Any]]:
    """A call that fails at once, with details as google.rpc has them."""

    async def script(request: Any, context: Context) -> AsyncIterator[Any]:
        await abort(context, code, message, *details)
        yield

    return script


async def abort(context: Context, code: grpc.StatusCode, message: str, *details: Any) -> None:
    packed = []
    for detail in details:
        box = any_pb2.Any()
        box.Pack(detail)
        packed.append(box)
    number = getattr(code_pb2, code.name)
    await context.abort_with_status(
        rpc_status.to_status(status_pb2.Status(code=number, message=message, details=packed))
    )


def retry_info(seconds: float) -> error_details_pb2.RetryInfo:
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromNanoseconds(round(seconds * 1e9))
    return info


class FakeServer(
    inversion_pb2_grpc.InversionServiceServicer,
    restoration_pb2_grpc.RestorationServiceServicer,
    editing_pb2_grpc.EditingServiceServicer,
    diffusion_pb2_grpc.DiffusionServiceServicer,
    synthesis_pb2_grpc.SynthesisServiceServicer,
    catalog_pb2_grpc.CatalogServiceServicer,
):
    """Answers well unless `scripts` say otherwise: one script a call, the last for all further ones.

    Lists its packs in any case, and keeps no record of that.
    """

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.requests: list[Any] = []
        self.timeouts: list[float] = []
        self.shown: list[bytes] = []
        """The certificates of those who called for anything but the list of packs, in PEM; empty: none."""
        self.cancelled = asyncio.Event()
        self.address = ""
        self._server: aio.Server | None = None

    async def start(
        self, address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None
    ) -> None:
        self._server = aio.server(
            options=[("grpc.so_reuseport", 0), ("grpc.http2.min_ping_interval_without_data_ms", 10)]
        )
        inversion_pb2_grpc.add_InversionServiceServicer_to_server(self, self._server)
        restoration_pb2_grpc.add_RestorationServiceServicer_to_server(self, self._server)
        editing_pb2_grpc.add_EditingServiceServicer_to_server(self, self._server)
        diffusion_pb2_grpc.add_DiffusionServiceServicer_to_server(self, self._server)
        synthesis_pb2_grpc.add_SynthesisServiceServicer_to_server(self, self._server)
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(self, self._server)
        port = (
            self._server.add_insecure_port(address)
            if credentials is None
            else self._server.add_secure_port(address, credentials)
        )
        self.address = f"127.0.0.1:{port}"
        await self._server.start()

    async def die(self) -> None:
        """Break every call and stop listening."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    async def InvertStream(self, request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: N802
        script = self._next_script(request, context, inverts)
        try:
            async for response in script(request, context):
                yield response
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def Invert(self, request: Any, context: Context) -> Any:  # noqa: N802
        raise NotImplementedError

    async def Restore(self, request: Any, context: Context) -> Any:  # noqa: N802
        raise NotImplementedError

    async def RestoreStream(self, request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: N802
        """As a script for an inversion says."""
        script = self._next_script(request, context, inverts)
        plain = inversion_pb2.InvertStreamRequest(
            image=request.image,
            options=request.options.inversion,
            preview_every=request.preview_every,
            checkpoint_every=request.checkpoint_every,
        )
        async for event in script(plain, context):
            yield restored(event)

    async def Edit(self, request: Any, context: Context) -> Any:  # noqa: N802
        await self._maybe_fail(request, context)
        several: list[float] = []
        for operation in request.operations:
            values = (
                operation.direction.strengths
                or operation.interpolation.amounts
                or operation.expression_transfer.amounts
                or operation.text.strengths
            )
            several = list(values) if len(values) > 1 else several
        images = [
            editing_pb2.EditedImage(latent=latent(), image=picture(), strength=strength)
            for strength in several or [0.0]
        ]
        return editing_pb2.EditResponse(images=images)

    async def EditStream(self, requests: Any, context: Context) -> AsyncIterator[Any]:  # noqa: N802
        """Answers every change, unless a script says otherwise, which is given the requests as they come."""
        script = self._next_script(requests, context, answers_changes)
        async for response in script(requests, context):
            yield response

    async def Diffuse(self, request: Any, context: Context) -> Any:  # noqa: N802
        await self._maybe_fail(request, context)
        return diffusion_pb2.DiffuseResponse(
            image=picture((1, 2, 3)),
            inversion=result(5, [loss(step) for step in range(5)]).result,
            border_error=0.125,
            stitched_border_error=0.25,
        )

    async def Read(self, request: Any, context: Context) -> Any:  # noqa: N802
        await self._maybe_fail(request, context)
        return editing_pb2.ReadResponse(
            readings=[
                editing_pb2.AttributeReading(attribute="smile", value=0.75),
                editing_pb2.AttributeReading(attribute="yaw", value=-12.5, unit="deg"),
            ]
        )

    async def Synthesize(self, request: Any, context: Context) -> Any:  # noqa: N802
        await self._maybe_fail(request, context)
        return synthesis_pb2.SynthesizeResponse(
            images=[synthesis_pb2.SynthesizedImage(latent=code, image=picture()) for code in request.latents]
        )

    async def Sample(self, request: Any, context: Context) -> Any:  # noqa: N802
        await self._maybe_fail(request, context)
        return synthesis_pb2.SampleResponse(
            images=[
                synthesis_pb2.SynthesizedImage(latent=latent(seed), image=picture())
                for seed in request.seeds or request.path.amounts
            ]
        )

    async def ListPacks(self, request: Any, context: Context) -> Any:  # noqa: N802
        return catalog()

    async def GetPack(self, request: Any, context: Context) -> Any:  # noqa: N802
        await self._maybe_fail(request, context)
        return catalog_pb2.GetPackResponse(pack=pack(), limits=limits())

    async def Estimate(self, request: Any, context: Context) -> Any:  # noqa: N802
        await self._maybe_fail(request, context)
        return estimate()

    def _next_script(self, request: Any, context: Context, otherwise: Script) -> Script:
        self.requests.append(request)
        self.timeouts.append(context.time_remaining())
        self.shown += context.auth_context().get("x509_pem_cert", [b""])
        if not self.scripts:
            return otherwise
        return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    async def _maybe_fail(self, request: Any, context: Context) -> None:
        async for _ in self._next_script(request, context, nothing)(request, context):
            pass


Call = Callable[..., Awaitable[Any]]
