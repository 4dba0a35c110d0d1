"""The blocking client.

    with relatent.Client("10.0.0.1:8500,10.0.0.2:8500") as client:
        inversion = client.invert("portrait.jpg", steps=100)
        inversion.latent.save("portrait.safetensors")

It may be used from several threads at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import grpc

from relatent.flows import DEFAULT_ADDRESS, DEFAULT_MAX_MESSAGE_BYTES, DEFAULT_TIMEOUT, Flows, Settings
from relatent.images import ImageFormat, ImageInput
from relatent.latents import LatentCode
from relatent.requests import InvertOptions, Move, Operation
from relatent.results import Catalog, Edit, Inversion, PackInfo, SynthesizedImage
from relatent.resuming import ProgressCallback
from relatent.retrying import Effect, Flow, RetryPolicy, Sleep, Stream, Unary

T = TypeVar("T")


class Client:
    """Talks to one service, or to several that have the same packs.

    A call that finds no server, or a full one, is tried again, on another address if there are
    several, until its timeout; an inversion whose server is lost goes on from its last checkpoint.
    Every method raises `CallError` of the class that `relatent.errors` shows, and `InputError`
    where nothing could be sent.

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
        self._transport = _BlockingTransport(settings)

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
        """
        return self._transport.run(self._flows.invert(image, options, progress, preview_every, timeout))

    def edit(
        self,
        source: LatentCode | ImageInput,
        operations: Sequence[Operation],
        *,
        progress: ProgressCallback | None = None,
        output_format: ImageFormat | str | None = None,
        timeout: float | None = None,
        invert: InvertOptions | None = None,
    ) -> Edit:
        """Edit a code, or an image that is inverted first.

        Args:
            source: a code, or an image as `invert` takes it.
            operations: in order; at most one may hold several strengths or amounts.
            progress: told how far the inversion is, where there is one.
            output_format: of the edited images; PNG unless given.
            timeout: seconds; the client's unless given.
            invert: how to invert an image.

        Returns:
            One image, or one for each strength or amount.
        """
        flow = self._flows.edit(source, operations, invert or {}, progress, output_format, timeout)
        return self._transport.run(flow)

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
        seeds: Sequence[int],
        *,
        moves: Sequence[Move] = (),
        truncation: float | None = None,
        pack: str = "",
        output_format: ImageFormat | str | None = None,
        timeout: float | None = None,
    ) -> tuple[SynthesizedImage, ...]:
        """Make random images.

        Args:
            seeds: one image each, the same on every server of a pack's revision.
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

    def pack(self, name: str = "", *, timeout: float | None = None) -> PackInfo:
        """Describe a pack, the server's only one unless named."""
        return self._transport.run(self._flows.pack(name, timeout))

    def close(self) -> None:
        """Let go of the connections; calls under way fail."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _BlockingTransport:
    """Drives flows over blocking channels, one an address, made when first needed."""

    def __init__(self, settings: Settings) -> None:
        self._options = settings.channel_options()
        self._channels: dict[str, grpc.Channel] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def run(self, flow: Flow[T]) -> T:
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = self._perform(effect)
                except grpc.RpcError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    def close(self) -> None:
        with self._lock:
            self._closed.set()
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()

    def _perform(self, effect: Effect) -> Any:
        if self._closed.is_set():
            raise RuntimeError("the client is closed")
        match effect:
            case Sleep():
                return self._closed.wait(effect.seconds)
            case Unary():
                return self._method(effect, "unary_unary")(effect.request, timeout=effect.timeout)
            case Stream():
                call = self._method(effect, "unary_stream")(effect.request, timeout=effect.timeout)
                try:
                    for message in call:
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

    def _channel(self, address: str) -> grpc.Channel:
        with self._lock:
            if self._closed.is_set():
                raise RuntimeError("the client is closed")
            if address not in self._channels:
                self._channels[address] = grpc.insecure_channel(address, self._options)
            return self._channels[address]
