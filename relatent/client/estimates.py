"""What a call would cost and wait: calls to be estimated, and what a service says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

from google.protobuf.duration_pb2 import Duration

from relatent.client.errors import CallError, refusal_error
from relatent.client.latents import LatentCode, latent_message
from relatent.client.requests import InvertOptions, Move, Operation, inversion_options, operation_message
from relatent.client.restoring import Degraded, restoration_options
from relatent.client.seeds import SeedPath
from relatent.client.synthesizing import sample_request, synthesize_request
from relatent.client.traffic import tell_class
from relatent.core.restoration import RestorationPreset
from relatent.core.traffic import TrafficClass
from relatent.v1 import catalog_pb2, diffusion_pb2, editing_pb2, inversion_pb2, restoration_pb2


@dataclass(frozen=True)
class PlannedCall:
    """A call that is not made yet, without its pictures: `PlannedCall.invert(steps=200)` and so on.

    Each is made as the client's method of that name is called. Masks of options are sent as they are.

    Attributes:
        message: the same for a service.
    """

    message: catalog_pb2.EstimateRequest

    @classmethod
    def invert(cls, **options: Unpack[InvertOptions]) -> PlannedCall:
        """An inversion of any image; see `InvertOptions`."""
        asked = inversion_pb2.InvertRequest(options=inversion_options(options))
        return cls(catalog_pb2.EstimateRequest(invert=asked))

    @classmethod
    def edit(
        cls,
        operations: Sequence[Operation],
        source: LatentCode | None = None,
        *,
        within: bool = False,
        invert: InvertOptions | None = None,
    ) -> PlannedCall:
        """An edit.

        Args:
            operations: in order.
            source: the code; None for an image, which is inverted first.
            within: whether the edit is confined to a part of the image.
            invert: how to invert an image.
        """
        asked = editing_pb2.EditRequest(
            operations=[operation_message(operation) for operation in operations],
            region=editing_pb2.Region() if within else None,
        )
        if source is None:
            asked.image.options.CopyFrom(inversion_options(invert or {}))
        else:
            asked.latent.CopyFrom(latent_message(source))
        return cls(catalog_pb2.EstimateRequest(edit=asked))

    @classmethod
    def restore(
        cls,
        preset: RestorationPreset | str | None = None,
        *,
        degraded: Degraded | None = None,
        **options: Unpack[InvertOptions],
    ) -> PlannedCall:
        """A restoration of any image that lacks this."""
        wanted = restoration_options(preset, degraded, options)
        return cls(catalog_pb2.EstimateRequest(restore=restoration_pb2.RestoreRequest(options=wanted)))

    @classmethod
    def diffuse(cls, **options: Unpack[InvertOptions]) -> PlannedCall:
        """A semantic diffusion of any images."""
        asked = diffusion_pb2.DiffuseRequest(region=editing_pb2.Region(), options=inversion_options(options))
        return cls(catalog_pb2.EstimateRequest(diffuse=asked))

    @classmethod
    def synthesize(cls, latents: Sequence[LatentCode]) -> PlannedCall:
        """Images of codes."""
        return cls(catalog_pb2.EstimateRequest(synthesize=synthesize_request(latents)))

    @classmethod
    def sample(
        cls,
        seeds: Sequence[int] | SeedPath,
        *,
        moves: Sequence[Move] = (),
        truncation: float | None = None,
        pack: str = "",
    ) -> PlannedCall:
        """Random images."""
        return cls(catalog_pb2.EstimateRequest(sample=sample_request(seeds, moves, truncation, pack)))

    def request(self, timeout: float, traffic_class: TrafficClass | None) -> catalog_pb2.EstimateRequest:
        """The message for a call with so many seconds, of a class."""
        request = catalog_pb2.EstimateRequest()
        request.CopyFrom(self.message)
        if (planned := request.WhichOneof("call")) is not None:
            tell_class(getattr(request, planned), traffic_class)
        request.deadline.FromNanoseconds(max(1, min(round(timeout * 1e9), 2**62)))
        return request


@dataclass(frozen=True)
class QuotaLeft:
    """What an API key may have of a service now.

    Attributes:
        steps: None: any number.
        calls: beside those in flight; None: any number.
    """

    steps: int | None
    calls: int | None


@dataclass(frozen=True)
class Estimate:
    """What a call would cost and wait: the best guess as things are at a service now.

    Attributes:
        steps: that it takes of its key's quota while it lasts.
        engine: seconds of the engine's time that these cost, had the call it alone.
        wait: seconds until it would begin.
        answer: seconds until it would be answered.
        refusal: what it would raise now, or soon for want of time; None: nothing.
        quota: what is left to the client's key; None where it has no quota.
    """

    steps: int
    engine: float
    wait: float
    answer: float
    refusal: CallError | None = None
    quota: QuotaLeft | None = None


def estimate(message: catalog_pb2.EstimateResponse, address: str) -> Estimate:
    """Read what the service at an address says."""
    return Estimate(
        steps=message.steps,
        engine=_seconds(message.engine),
        wait=_seconds(message.wait),
        answer=_seconds(message.answer),
        refusal=refusal_error(message.refusal, address) if message.HasField("refusal") else None,
        quota=_left(message.quota) if message.HasField("quota") else None,
    )


def _left(message: catalog_pb2.QuotaLeft) -> QuotaLeft:
    return QuotaLeft(
        steps=message.steps if message.HasField("steps") else None,
        calls=message.calls if message.HasField("calls") else None,
    )


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
