"""The blocking client.

    with relatent.Client("10.0.0.1:8500,10.0.0.2:8500") as client:
        inversion = client.invert("portrait.jpg", steps=100)
        inversion.latent.save("portrait.safetensors")

It may be used from several threads at once, and in processes forked or spawned after it was made: each
process has connections of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, Unpack

from relatent.client.blocking_transport import BlockingTransport
from relatent.client.catalog import Catalog, PackInfo
from relatent.client.diffusions import Diffusion
from relatent.client.edit_session import EditSession
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


class Client(HeldConnections[BlockingTransport]):
    """Talks to one service, or to several that have the same packs.

    A call that finds no server, or a full one, is tried again, on another address if there are
    several, until its timeout; an inversion whose server is lost goes on from its last checkpoint.
    Every method raises `CallError` of the class that `relatent.client.errors` shows, and `InputError`
    where nothing could be sent. An error of an inversion that had got somewhere has the last
    `checkpoint`, with which as `start` it can be gone on with.

    A client can be pickled: what comes back is a client of the same settings, its key included.

    Args:
        addresses: host:port or unix:/path, one or several; or several in one string, with commas.
        timeout: seconds of a call unless it says otherwise, all its attempts together.
        max_message_bytes: bytes of one message, either way; set it as the service's is.
        retry: how long to wait between attempts.
        traffic_class: `interactive` where somebody waits for its calls, `bulk` where nobody does, so that
            they go after all others; what its key is for unless given.
        **access: `tls`, `api_key` and `insecure`, see `AccessOptions`.

    Raises:
        InputError: one of these is not what it must be.
    """

    _transport_kind = BlockingTransport

    def invert(
        self,
        image: ImageInput,
        *,
        progress: ProgressCallback | None = None,
        preview_every: int = 0,
        timeout: float | None = None,
        **options: Unpack[InvertOptions],
    ) -> Inversion:
        """Find the latent code of an image.

        Args:
            image: a path, bytes, a PIL image or uint8 [H, W, 3].
            progress: told how far it is, after every few steps, from this thread.
            preview_every: have every n-th report hold a preview image; 0: none.
            timeout: seconds; the client's unless given.
            **options: see `InvertOptions`.

        Returns:
            The code, its reconstruction and how good that is.

        Raises:
            DeadlineError: the time ran out; its `checkpoint` is where to go on from, as `start`. So is
                that of every other `RelatentError` after the first report.
        """
        return self._transport.run(self._flows.invert(image, options, progress, preview_every, timeout))

    def restore(
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
        """Find the whole image that a degraded one comes of.

        Args:
            image: the degraded one, as `invert` takes it.
            preset: what it lacks: `colorize`, `upscale`, `inpaint` or `denoise`; None where `degraded` says
                all.
            degraded: what was done to it; what is left out is the preset's.
            keep_known: whether what was given is put back where it is known.
            progress: told how far it is, after every few steps, from this thread.
            preview_every: have every n-th report hold a preview image; 0: none.
            timeout: seconds; the client's unless given.
            **options: how to refine, see `InvertOptions`; without `quality` and `mask`.

        Returns:
            The image, its code, and how well it matches what was given.
        """
        flow = self._flows.restore(
            image, preset, degraded, keep_known, options, progress, preview_every, timeout
        )
        return self._transport.run(flow)

    def edit(
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
        """Edit a code, or an image that is inverted first.

        Args:
            source: a code, or an image as `invert` takes it.
            operations: in order; at most one may hold several strengths or amounts.
            within: the part of the image that the edit is confined to; all of it unless given.
            progress: told how far the inversion is, where there is one.
            output_format: of the edited images; PNG unless given.
            timeout: seconds; the client's unless given.
            invert: how to invert an image.

        Returns:
            One image, or one for each strength or amount.
        """
        flow = self._flows.edit(source, operations, within, invert or {}, progress, output_format, timeout)
        return self._transport.run(flow)

    def edit_session(
        self,
        source: LatentCode | ImageInput,
        *,
        within: Within | None = None,
        output_format: ImageFormat | str | None = None,
        timeout: float | None = None,
        invert: InvertOptions | None = None,
    ) -> EditSession:
        """Edit a source again and again, as sliders move: `with client.edit_session(...) as session`.

        Args:
            source: a code, or an image, which is inverted when the session is opened.
            within: the part of the image that edits are confined to.
            output_format: of the edited images; PNG unless given.
            timeout: seconds to open the session, and to open it again where its server is lost; the client's
                unless given. The session itself lasts until it is closed.
            invert: how to invert an image.
        """
        flows = SessionFlows(self._settings, self._flows, timeout)
        prepare = flows.prepare(source, within, output_format, invert or {})
        return EditSession(self._transport, prepare, flows.converse, flows.timeout)

    def diffuse(
        self,
        target: ImageInput,
        within: Within,
        context: ImageInput,
        *,
        blend: bool = False,
        timeout: float | None = None,
        **options: Unpack[InvertOptions],
    ) -> Diffusion:
        """Put a part of one image into another, and make one coherent image of both.

        Args:
            target: the image whose part is kept, as `invert` takes it.
            within: which part that is; its feather, above 0, is how soft a blend is.
            context: the image that all else follows.
            blend: keep of what was given all but the seam: the target's own pixels far within the part, the
                context's far outside it, and the generator's over the border.
            timeout: seconds; the client's unless given.
            **options: how the stitched image is inverted; `mask`, and a checkpoint as `start`, are refused.

        Returns:
            The image, its code, and how visible the border is.
        """
        flow = self._flows.diffuse(target, within, context, options, blend, timeout)
        return self._transport.run(flow)

    def read(
        self, image: ImageInput, *, pack: str = "", fit: Fit | str | None = None, timeout: float | None = None
    ) -> Mapping[str, AttributeReading]:
        """Read attributes off an image as it is, as the pack's attribute network does.

        Args:
            image: as `invert` takes it.
            pack: whose network; the server's only pack unless given.
            fit: what to do with an image that is not square; crops unless given.
            timeout: seconds; the client's unless given.

        Returns:
            Every attribute of the pack, by name: what a `Goal` of it may be `to`.
        """
        return self._transport.run(self._flows.read(image, pack, fit, timeout))

    def synthesize(
        self,
        latents: Sequence[LatentCode],
        *,
        output_format: ImageFormat | str | None = None,
        timeout: float | None = None,
    ) -> tuple[SynthesizedImage, ...]:
        """Make the images of codes of one pack, in their order."""
        return self._transport.run(self._flows.synthesize(latents, output_format, timeout))

    def sample(
        self,
        seeds: Sequence[int] | SeedPath,
        *,
        moves: Sequence[Move] = (),
        truncation: float | None = None,
        pack: str = "",
        output_format: ImageFormat | str | None = None,
        timeout: float | None = None,
    ) -> tuple[SynthesizedImage, ...]:
        """Make random images.

        Args:
            seeds: one image each, the same on every server of a pack's revision; or a path between two.
            moves: along directions of Z, in order, of what each seed draws; one strength each.
            truncation: 1 for the generator's full variety, 0 for the mean; 0.7 unless given.
            pack: the pack to sample; the server's only one unless given.
            output_format: of the images; PNG unless given.
            timeout: seconds; the client's unless given.
        """
        flow = self._flows.sample(seeds, moves, truncation, pack, output_format, timeout)
        return self._transport.run(flow)

    def catalog(self, *, timeout: float | None = None) -> Catalog:
        """List the packs, their directions and what the server accepts."""
        return self._transport.run(self._flows.catalog(timeout))

    def estimate(
        self, call: PlannedCall, *, call_timeout: float | None = None, timeout: float | None = None
    ) -> Estimate:
        """Say what a call would cost and wait now; nothing of it is done.

        Args:
            call: such as `PlannedCall.invert(steps=200)`.
            call_timeout: seconds that the call would have; the client's unless given.
            timeout: seconds to be told; the client's unless given.
        """
        return self._transport.run(self._flows.estimate(call, call_timeout, timeout))

    def pack(self, name: str = "", *, timeout: float | None = None) -> PackInfo:
        """Describe a pack, the server's only one unless named."""
        return self._transport.run(self._flows.pack(name, timeout))

    def close(self) -> None:
        """Let go of the connections of this process; calls under way raise `ClientStateError`."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
