"""The asyncio client.

async with relatent.AsyncClient("127.0.0.1:8500") as client:
    inversions = await asyncio.gather(*map(client.invert, paths))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, Unpack

from relatent.client.async_edit_session import AsyncEditSession
from relatent.client.async_transport import AsyncTransport
from relatent.client.catalog import Catalog, PackInfo
from relatent.client.diffusions import Diffusion
from relatent.client.estimates import Estimate, PlannedCall
from relatent.client.held_connections import HeldConnections
from relatent.client.images import ImageFormat, ImageInput
from relatent.client.latents import LatentCode
from relatent.client.requests import InvertOptions, Move, Operation
from relatent.client.restoring import Degraded, Restoration
from relatent.client.results import Edit, Inversion, SynthesizedImage
from relatent.client.resuming import ProgressCallback
from relatent.client.seeds import SeedPath
from relatent.client.session_flows import SessionFlows
from relatent.client.transfers import AttributeReading
from relatent.client.within import Within
from relatent.core.fit import Fit
from relatent.core.restoration import RestorationPreset


class AsyncClient(HeldConnections[AsyncTransport]):
    """`relatent.Client` for asyncio: the same methods, arguments, answers and errors, awaited.

    It may be used in one event loop after another, or in several: each has connections of its own. Not,
    though, in a process forked while it, or another, was open. Cancelling a call frees its place on the
    server. Progress callbacks run in the event loop, so they must not block.

    Args:
        addresses: host:port or unix:/path, one or several; or several in one string, with commas.
        timeout: seconds of a call unless it says otherwise, all its attempts together.
        max_message_bytes: bytes of one message, either way; set it as the service's is.
        retry: how long to wait between attempts.
        traffic_class: `interactive` where somebody waits for its calls, `bulk` where nobody does.
        **access: `tls`, `api_key` and `insecure`, see `AccessOptions`.
    """

    _transport_kind = AsyncTransport

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

    def edit_session(
        self,
        source: LatentCode | ImageInput,
        *,
        within: Within | None = None,
        output_format: ImageFormat | str | None = None,
        timeout: float | None = None,
        invert: InvertOptions | None = None,
    ) -> AsyncEditSession:
        """Edit a source again and again: `async with client.edit_session(...)`; see `Client.edit_session`."""
        flows = SessionFlows(self._settings, self._flows, timeout)
        prepare = flows.prepare(source, within, output_format, invert or {})
        return AsyncEditSession(self._transport, prepare, flows.converse, flows.timeout)

    async def diffuse(
        self,
        target: ImageInput,
        within: Within,
        context: ImageInput,
        *,
        blend: bool = False,
        timeout: float | None = None,
        **options: Unpack[InvertOptions],
    ) -> Diffusion:
        """Put a part of one image into another; see `Client.diffuse`."""
        flow = self._flows.diffuse(target, within, context, options, blend, timeout)
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

    async def estimate(
        self, call: PlannedCall, *, call_timeout: float | None = None, timeout: float | None = None
    ) -> Estimate:
        """Say what a call would cost and wait now; see `Client.estimate`."""
        return await self._transport.run(self._flows.estimate(call, call_timeout, timeout))

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
