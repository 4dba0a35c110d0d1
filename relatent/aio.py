"""The asyncio client.

async with relatent.AsyncClient("127.0.0.1:8500") as client:
    inversions = await asyncio.gather(*map(client.invert, paths))
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import grpc
from grpc import aio

from relatent.flows import DEFAULT_ADDRESS, DEFAULT_MAX_MESSAGE_BYTES, DEFAULT_TIMEOUT, Flows, Settings
from relatent.images import ImageFormat, ImageInput
from relatent.latents import LatentCode
from relatent.requests import InvertOptions, Move, Operation
from relatent.results import Catalog, Edit, Inversion, PackInfo, SynthesizedImage
from relatent.resuming import ProgressCallback
from relatent.retrying import Effect, Flow, RetryPolicy, Sleep, Stream, Unary

T = TypeVar("T")


class AsyncClient:
    """`relatent.Client` for asyncio: the same methods, arguments, answers and errors, awaited.

    To be used in one event loop. Cancelling a call frees its place on the server. Progress
    callbacks run in the event loop, so they must not block.

    Args:
        addresses: host:port, one or several; or several in one string, with commas.
        timeout: seconds of a call unless it says otherwise, all its attempts together.
        max_message_bytes: bytes of one message, either way; set it as the service's is.
        retry: how long to wait between attempts.
    """

    def __init__(
        self,
        addresses: str | Sequence[str] = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        retry: RetryPolicy | None = None,
    ) -> None:
        settings = Settings.of(addresses, timeout, max_message_bytes, retry)
        self._flows = Flows(settings)
        self._transport = _AsyncTransport(settings)

    async def invert(
        self,
        image: ImageInput,
        *,
        progress: ProgressCallback | None = None,
        preview_every: int = 0,
        timeout: float | None = None,
        **options: Unpack[InvertOptions],
    ) -> Inversion:
        """Find the latent code of an image; see `Client.invert`."""
        flow = self._flows.invert(image, options, progress, preview_every, timeout)
        return await self._transport.run(flow)

    async def edit(
        self,
        source: LatentCode | ImageInput,
        operations: Sequence[Operation],
        *,
        progress: ProgressCallback | None = None,
        output_format: ImageFormat | str | None = None,
        timeout: float | None = None,
        invert: InvertOptions | None = None,
    ) -> Edit:
        """Edit a code, or an image that is inverted first; see `Client.edit`."""
        flow = self._flows.edit(source, operations, invert or {}, progress, output_format, timeout)
        return await self._transport.run(flow)

    async def synthesize(
        self,
        latents: Sequence[LatentCode],
        *,
        output_format: ImageFormat | str | None = None,
        timeout: float | None = None,
    ) -> tuple[SynthesizedImage, ...]:
        """Make the images of codes of one pack, in their order."""
        return await self._transport.run(self._flows.synthesize(latents, output_format, timeout))

    async def sample(
        self,
        seeds: Sequence[int],
        *,
        moves: Sequence[Move] = (),
        truncation: float | None = None,
        pack: str = "",
        output_format: ImageFormat | str | None = None,
        timeout: float | None = None,
    ) -> tuple[SynthesizedImage, ...]:
        """Make random images; see `Client.sample`."""
        flow = self._flows.sample(seeds, moves, truncation, pack, output_format, timeout)
        return await self._transport.run(flow)

    async def catalog(self, *, timeout: float | None = None) -> Catalog:
        """List the packs, their directions and what the server accepts."""
        return await self._transport.run(self._flows.catalog(timeout))

    async def pack(self, name: str = "", *, timeout: float | None = None) -> PackInfo:
        """Describe a pack, the server's only one unless named."""
        return await self._transport.run(self._flows.pack(name, timeout))

    async def close(self) -> None:
        """Let go of the connections; calls under way fail."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _AsyncTransport:
    """Drives flows over asyncio's channels, one an address, made when first needed."""

    def __init__(self, settings: Settings) -> None:
        self._options = settings.channel_options()
        self._channels: dict[str, aio.Channel] = {}
        self._closed = False

    async def run(self, flow: Flow[T]) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = await self._perform(effect)
                except grpc.RpcError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    async def close(self) -> None:
        self._closed = True
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close()

    async def _perform(self, effect: Effect) -> Any:
        if self._closed:
            raise RuntimeError("the client is closed")
        match effect:
            case Sleep():
                return await asyncio.sleep(effect.seconds)
            case Unary():
                return await self._method(effect, "unary_unary")(effect.request, timeout=effect.timeout)
            case Stream():
                call = self._method(effect, "unary_stream")(effect.request, timeout=effect.timeout)
                try:
                    async for message in call:
                        effect.receive(message)
                finally:
                    call.cancel()  # frees the place on the server where a callback raised

    def _method(self, effect: Unary | Stream, kind: str) -> Callable[..., Any]:
        make: Callable[..., Callable[..., Any]] = getattr(self._channel(effect.address), kind)
        return make(
            effect.path,
            request_serializer=type(effect.request).SerializeToString,
            response_deserializer=effect.answer.FromString,
        )

    def _channel(self, address: str) -> aio.Channel:
        if address not in self._channels:
            self._channels[address] = aio.insecure_channel(address, self._options)
        return self._channels[address]
