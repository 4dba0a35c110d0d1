"""What a client can do, written once for both clients; see `relatent.client.retrying` for how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from relatent.client import decoding
from relatent.client.catalog import Catalog, PackInfo
from relatent.client.diffusions import Diffusion, diffusion, diffusion_request
from relatent.client.errors import UnavailableError
from relatent.client.estimates import Estimate, PlannedCall, estimate
from relatent.client.images import ImageFormat, ImageInput, fit_message, format_message, image_message
from relatent.client.latents import LatentCode, latent_message
from relatent.client.requests import (
    InvertOptions,
    Move,
    Operation,
    inversion_options,
    operation_message,
)
from relatent.client.restoring import Degraded, Restoration, restore_request
from relatent.client.results import Edit, Inversion, SynthesizedImage
from relatent.client.resuming import INVERTING, RESTORING, ProgressCallback, RunningRefinement
from relatent.client.retrying import Addresses, Convert, Flow, Stream, TimeLimit, Unary, retrying
from relatent.client.seeds import SeedPath
from relatent.client.settings import ClientSettings
from relatent.client.synthesizing import sample_request, synthesize_request
from relatent.client.texts import text_field
from relatent.client.traffic import tell_class
from relatent.client.transfers import AttributeReading, readings
from relatent.client.within import Within, region_message
from relatent.core.fit import Fit
from relatent.core.restoration import RestorationPreset
from relatent.v1 import catalog_pb2, diffusion_pb2, editing_pb2, inversion_pb2, synthesis_pb2, types_pb2

T = TypeVar("T")

EDIT_SHARE = 0.2
"""Of an edit's time, what its inversion leaves for the edit where it may take all there is."""

_PREFIX = "/relatent.v1."


class Flows:
    """What a client can do. Every method makes a flow; nothing happens before it is driven.

    Args:
        settings: the client's.
        addresses: its servers, where another client knows them; None: those of its settings.

    Attributes:
        addresses: the client's servers.
    """

    def __init__(self, settings: ClientSettings, addresses: Addresses | None = None) -> None:
        self._settings = settings
        self.addresses = addresses or Addresses(settings.addresses, settings.tls)

    def invert(
        self,
        image: ImageInput,
        options: InvertOptions,
        progress: ProgressCallback | None,
        preview_every: int,
        timeout: float | None,
    ) -> Flow[Inversion]:
        """Invert an image; see `Client.invert`."""
        limit = self._limit(timeout)
        request = yield Convert(lambda: _stream_request(image, options, preview_every))
        return (yield from self._refine(RunningRefinement(INVERTING, request, progress), limit))

    def edit(
        self,
        source: LatentCode | ImageInput,
        operations: Sequence[Operation],
        within: Within | None,
        options: InvertOptions,
        progress: ProgressCallback | None,
        output_format: ImageFormat | str | None,
        timeout: float | None,
    ) -> Flow[Edit]:
        """Edit a code, or an image that is inverted first; see `Client.edit`."""
        limit = self._limit(timeout)
        request = editing_pb2.EditRequest(
            operations=[operation_message(operation) for operation in operations],
            output_format=format_message(output_format),
        )
        inverted = None
        keeping: AbstractContextManager[None] = nullcontext()
        if isinstance(source, LatentCode):
            yield from _confine(request, within, options)
            request.latent.CopyFrom(latent_message(source))
        else:
            stream = yield Convert(lambda: _stream_request(source, options))
            yield from _confine(request, within, options, stream.image)
            running = RunningRefinement(INVERTING, stream, progress)
            kept = EDIT_SHARE * limit.left if options.get("best_at_deadline") else 0.0
            inverted = yield from self._refine(running, limit.sooner(kept))
            request.latent.CopyFrom(latent_message(inverted.latent))
            keeping = running.checkpoint_kept()
        with keeping:
            answer = yield from self._call("EditingService/Edit", request, editing_pb2.EditResponse, limit)
            return decoding.edit(answer, inverted)

    def diffuse(
        self,
        target: ImageInput,
        within: Within,
        context: ImageInput,
        options: InvertOptions,
        blend: bool,
        timeout: float | None,
    ) -> Flow[Diffusion]:
        """Put a part of one image into another; see `Client.diffuse`."""
        limit = self._limit(timeout)
        request = yield Convert(lambda: diffusion_request(target, within, context, options, blend=blend))
        answer = yield from self._call(
            "DiffusionService/Diffuse", request, diffusion_pb2.DiffuseResponse, limit
        )
        return diffusion(answer)

    def restore(
        self,
        image: ImageInput,
        preset: RestorationPreset | str | None,
        degraded: Degraded | None,
        keep_known: bool,
        options: InvertOptions,
        progress: ProgressCallback | None,
        preview_every: int,
        timeout: float | None,
    ) -> Flow[Restoration]:
        """Restore an image; see `Client.restore`."""
        limit = self._limit(timeout)
        request = yield Convert(
            lambda: restore_request(image, preset, degraded, keep_known, options, preview_every)
        )
        return (yield from self._refine(RunningRefinement(RESTORING, request, progress), limit))

    def read(
        self, image: ImageInput, pack: str, fit: Fit | str | None, timeout: float | None
    ) -> Flow[Mapping[str, AttributeReading]]:
        """Read attributes off an image; see `Client.read`."""
        limit = self._limit(timeout)
        sent = yield Convert(lambda: image_message(image))
        request = editing_pb2.ReadRequest(pack=text_field(pack, "pack"), image=sent, fit=fit_message(fit))
        answer = yield from self._call("EditingService/Read", request, editing_pb2.ReadResponse, limit)
        return readings(answer)

    def synthesize(
        self,
        latents: Sequence[LatentCode],
        output_format: ImageFormat | str | None,
        timeout: float | None,
    ) -> Flow[tuple[SynthesizedImage, ...]]:
        """Make the images of codes; see `Client.synthesize`."""
        request = synthesize_request(latents, output_format)
        answer = yield from self._call(
            "SynthesisService/Synthesize",
            request,
            synthesis_pb2.SynthesizeResponse,
            self._limit(timeout),
        )
        return decoding.synthesized(answer)

    def sample(
        self,
        seeds: Sequence[int] | SeedPath,
        moves: Sequence[Move],
        truncation: float | None,
        pack: str,
        output_format: ImageFormat | str | None,
        timeout: float | None,
    ) -> Flow[tuple[SynthesizedImage, ...]]:
        """Make random images; see `Client.sample`."""
        request = sample_request(seeds, moves, truncation, pack, output_format)
        answer = yield from self._call(
            "SynthesisService/Sample", request, synthesis_pb2.SampleResponse, self._limit(timeout)
        )
        return decoding.synthesized(answer)

    def catalog(self, timeout: float | None) -> Flow[Catalog]:
        """List what the server has; see `Client.catalog`."""
        answer = yield from self._call(
            "CatalogService/ListPacks",
            catalog_pb2.ListPacksRequest(),
            catalog_pb2.ListPacksResponse,
            self._limit(timeout),
        )
        return decoding.catalog(answer)

    def pack(self, name: str, timeout: float | None) -> Flow[PackInfo]:
        """Describe a pack; see `Client.pack`."""
        answer = yield from self._call(
            "CatalogService/GetPack",
            catalog_pb2.GetPackRequest(pack=text_field(name, "pack")),
            catalog_pb2.GetPackResponse,
            self._limit(timeout),
        )
        return decoding.pack_info(answer.pack)

    def estimate(
        self, call: PlannedCall, call_timeout: float | None, timeout: float | None
    ) -> Flow[Estimate]:
        """Say what a call would cost and wait; see `Client.estimate`."""
        request = call.request(self._limit(call_timeout).seconds, self._settings.traffic_class)
        answer, address = yield from self._answered(
            "CatalogService/Estimate", request, catalog_pb2.EstimateResponse, self._limit(timeout)
        )
        return estimate(answer, address)

    def _refine(self, running: RunningRefinement[T], limit: TimeLimit) -> Flow[T]:
        refining = running.refining

        def attempt(address: str, left: float) -> Flow[T]:
            message = running.next_request()
            self._make_ready(message)
            yield Stream(address, _PREFIX + refining.path, message, refining.response, left, running.receive)
            result = running.result()
            if result is None:
                raise UnavailableError(
                    grpc.StatusCode.UNKNOWN, "the stream ended before its result", address=address
                )
            return result

        retry = self._settings.retry
        with running.checkpoint_kept():
            return (yield from retrying(attempt, self.addresses, retry, limit, running.progressed))

    def _call(self, method: str, request: Message, answer: type[Message], limit: TimeLimit) -> Flow[Any]:
        answered, _ = yield from self._answered(method, request, answer, limit)
        return answered

    def _answered(
        self, method: str, request: Message, answer: type[Message], limit: TimeLimit
    ) -> Flow[tuple[Any, str]]:
        """An answer, and who gave it."""
        self._make_ready(request)

        def attempt(address: str, left: float) -> Flow[tuple[Any, str]]:
            return (yield Unary(address, _PREFIX + method, request, answer, left)), address

        return (yield from retrying(attempt, self.addresses, self._settings.retry, limit))

    def _make_ready(self, request: Message) -> None:
        tell_class(request, self._settings.traffic_class)
        self._settings.check_size(request)

    def _limit(self, timeout: float | None) -> TimeLimit:
        return self._settings.limit(timeout)


def _confine(
    request: editing_pb2.EditRequest,
    within: Within | None,
    options: InvertOptions,
    image: types_pb2.Image | None = None,
) -> Flow[None]:
    if within is not None:
        fit = options.get("fit")
        region = yield Convert(lambda: region_message(within, fit, image))
        request.region.CopyFrom(region)


def _stream_request(
    image: ImageInput, options: InvertOptions, preview_every: int = 0
) -> inversion_pb2.InvertStreamRequest:
    return inversion_pb2.InvertStreamRequest(
        image=image_message(image),
        options=inversion_options(options),
        preview_every=preview_every,
        checkpoint_every=1,
    )
