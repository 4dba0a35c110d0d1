"""The asyncio client.

async with relatent.AsyncClient("127.0.0.1:8500") as client:
    inversions = await asyncio.gather(*map(client.invert, paths))
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from weakref import WeakSet

import grpc
from grpc import aio

from relatent.client.catalog import Catalog, PackInfo
from relatent.client.channels import open_async_channel
from relatent.client.errors import ClientStateError
from relatent.client.flows import (
    DEFAULT_ADDRESS,
    DEFAULT_MAX_MESSAGE_BYTES,
    DEFAULT_TIMEOUT,
    ClientSettings,
    Flows,
)
from relatent.client.forks import check_fork, keep_for_good
from relatent.client.images import ImageFormat, ImageInput
from relatent.client.latents import LatentCode
from relatent.client.requests import InvertOptions, Move, Operation
from relatent.client.restoring import Degraded, Restoration
from relatent.client.results import Edit, Inversion, SynthesizedImage
from relatent.client.resuming import ProgressCallback
from relatent.client.retrying import Convert, Effect, Flow, RetryPolicy, Sleep, Stream, Unary
from relatent.client.seeds import SeedPath
from relatent.client.transfers import AttributeReading
from relatent.client.within import Within
from relatent.core.fit import Fit
from relatent.core.restoration import RestorationPreset

T = TypeVar("T")


class AsyncClient:
    """`relatent.Client` for asyncio: the same methods, arguments, answers and errors, awaited.

    It may be used in one event loop after another, or in several: each has connections of its own. Not,
    though, in a process forked while it, or another, was open. Cancelling a call frees its place on the
    server. Progress callbacks run in the event loop, so they must not block.

    Args:
        addresses: host:port or unix:/path, one or several; or several in one string, with commas.
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
        self._set_up(ClientSettings.of(addresses, timeout, max_message_bytes, retry))

    def _set_up(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._flows = Flows(settings)
        self._transport = _AsyncTransport(settings)

    def __getstate__(self) -> ClientSettings:
        self._transport.check_open()
        return self._settings

    def __setstate__(self, settings: ClientSettings) -> None:
        self._set_up(settings)

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

    async def restore(
        self,
        image: ImageInput,
        preset: RestorationPreset | str | None = None,
        *,
        degraded: Degraded | None = None,
        keep_known: bool = False,
        progress: ProgressCallback | None = None,
        preview_every: int = 0,
        timeout: float | None = None,
        **options: Unpack[InvertOptions],
    ) -> Restoration:
        """Find the whole image that a degraded one comes of; see `Client.restore`."""
        flow = self._flows.restore(
            image, preset, degraded, keep_known, options, progress, preview_every, timeout
        )
        return await self._transport.run(flow)

    async def edit(
        self,
        source: LatentCode | ImageInput,
        operations: Sequence[Operation],
        *,
        within: Within | None = None,
        progress: ProgressCallback | None = None,
        output_format: ImageFormat | str | None = None,
        timeout: float | None = None,
        invert: InvertOptions | None = None,
    ) -> Edit:
        """Edit a code, or an image that is inverted first; see `Client.edit`."""
        flow = self._flows.edit(source, operations, within, invert or {}, progress, output_format, timeout)
        return await self._transport.run(flow)

    async def read(
        self, image: ImageInput, *, pack: str = "", fit: Fit | str | None = None, timeout: float | None = None
    ) -> Mapping[str, AttributeReading]:
        """Read attributes off an image as it is; see `Client.read`."""
        return await self._transport.run(self._flows.read(image, pack, fit, timeout))

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
        seeds: Sequence[int] | SeedPath,
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
        """Let go of the connections; calls under way raise `ClientStateError`."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


_open_channels: WeakSet[aio.Channel] = WeakSet()
"""All there are, of every client of this process."""
_forked_while_open = False
"""Whether there were any in the process that this one was forked from."""


def _after_fork() -> None:
    global _forked_while_open
    for channel in _open_channels:
        keep_for_good(channel)
        _forked_while_open = True
    _open_channels.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Connections:
    """The channels of one event loop, one an address, made when first needed; and what waits there."""

    def __init__(self) -> None:
        self.channels: dict[str, aio.Channel] = {}
        self.waiting: set[Any] = set()

    async def close(self) -> None:
        for call in list(self.waiting):  # closing a channel leaves the calls on it
            call.cancel()
        for channel in self.channels.values():
            await channel.close()


class _AsyncTransport:
    """Drives flows over asyncio's channels."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._connections: dict[asyncio.AbstractEventLoop, _Connections] = {}
        self._closed = False

    async def run(self, flow: Flow[T]) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = await self._perform(effect)
                except (grpc.RpcError, ClientStateError) as error:
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
        here = asyncio.get_running_loop()
        connections, self._connections = self._connections, {}
        for loop, there in connections.items():
            if loop is here:
                await there.close()
            elif loop.is_running():
                closing = there.close()
                try:
                    asyncio.run_coroutine_threadsafe(closing, loop)
                except RuntimeError:  # it has ended since, and its calls with it
                    closing.close()

    def check_open(self) -> None:
        if self._closed:
            raise ClientStateError("the client is closed")

    async def _perform(self, effect: Effect) -> Any:
        self.check_open()
        try:
            match effect:
                case Convert():  # which must not hold up everything else that the loop does
                    return await asyncio.to_thread(effect.work)
                case Sleep():
                    pause = asyncio.ensure_future(asyncio.sleep(effect.seconds))
                    with self._cancelled_by_close(pause):
                        return await pause
                case Unary():
                    call = self._begin(effect, "unary_unary")
                    with self._cancelled_by_close(call):
                        return await call
                case Stream():
                    call = self._begin(effect, "unary_stream")
                    with self._cancelled_by_close(call):
                        async for message in call:
                            effect.receive(message)
        except (grpc.RpcError, asyncio.CancelledError, aio.UsageError) as error:
            task = asyncio.current_task()
            if self._closed and not (task is not None and task.cancelling()):
                raise ClientStateError("the client was closed during the call") from error
            raise

    @contextmanager
    def _cancelled_by_close(self, call: Any) -> Iterator[None]:
        waiting = self._here().waiting
        waiting.add(call)
        try:
            yield
        finally:
            waiting.discard(call)
            call.cancel()  # frees the place on the server where a callback raised

    def _begin(self, effect: Unary | Stream, kind: str) -> Any:
        make: Callable[..., Callable[..., Any]] = getattr(self._channel(effect.address), kind)
        method = make(
            effect.path,
            request_serializer=type(effect.request).SerializeToString,
            response_deserializer=effect.answer.FromString,
        )
        return method(effect.request, timeout=effect.timeout)

    def _channel(self, address: str) -> aio.Channel:
        if _forked_while_open:  # gRPC's asyncio half keeps its state through a fork, and crashes with it
            raise ClientStateError(
                "this process was forked while an AsyncClient was open, and can use none: close it before, "
                "start processes by 'spawn' or 'forkserver', or use Client here"
            )
        channels = self._here().channels
        if address not in channels:
            check_fork()
            channels[address] = open_async_channel(address, self._settings.max_message_bytes)
            _open_channels.add(channels[address])
        return channels[address]

    def _here(self) -> _Connections:
        for loop in [loop for loop in list(self._connections) if loop.is_closed()]:  # threads add theirs
            self._connections.pop(loop, None)
        return self._connections.setdefault(asyncio.get_running_loop(), _Connections())
