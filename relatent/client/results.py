"""What comes back: answers as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from relatent.client.errors import InputError
from relatent.client.images import Picture
from relatent.client.latents import LatentCode
from relatent.core.quality import Quality
from relatent.core.stopping import StopReason
from relatent.core.targets import AttributePart, End
from relatent.v1 import inversion_pb2


@dataclass(frozen=True)
class Timings:
    """Where the time of a call went, on the server that answered, in seconds."""

    queue: float
    inference: float
    total: float


@dataclass(frozen=True)
class Checkpoint:
    """A refinement interrupted: enough to go on, anywhere, given the image again.

    Attributes:
        message: the contract's message.
    """

    message: inversion_pb2.Checkpoint = field(repr=False)

    @property
    def steps(self) -> int:
        """Steps done so far."""
        return self.message.steps

    @property
    def method(self) -> str:
        """The method at work; empty where it comes from a server without methods."""
        return self.message.method

    def __reduce__(self) -> tuple[Any, ...]:
        return Checkpoint.from_bytes, (self.to_bytes(),)

    def to_bytes(self) -> bytes:
        """The checkpoint for a file or a queue."""
        return self.message.SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """Read what `to_bytes` wrote.

        Raises:
            InputError: the bytes are something else.
        """
        try:
            return cls(inversion_pb2.Checkpoint.FromString(data))
        except DecodeError as error:
            raise InputError(f"checkpoint: {error}") from error


@dataclass(frozen=True)
class Progress:
    """How far an inversion is.

    Attributes:
        steps, total_steps: done, and that will be done at most.
        loss, best_loss: the latest, and the lowest so far; NaN before the first step.
        preview: the image of the best code so far, where asked for.
        checkpoint: where to go on from. The service sends one with every report, the first included.
    """

    steps: int
    total_steps: int
    loss: float
    best_loss: float
    preview: Picture | None = None
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class InDomain:
    """How plausible an image and its code are: whether they lie where the generator's own do.

    Attributes:
        score: the share of genuine images that lie at least as far out; 0.5 for a typical one.
        cycle: how far the encoder's code of the image is from that of the code's own image.
        typical_cycle: the median of genuine images.
        code_cycle: the same distance of the code that was found; None where it has no W+ part.
    """

    score: float
    cycle: float
    typical_cycle: float
    code_cycle: float | None


@dataclass(frozen=True)
class Inversion:
    """An image's latent code, with the evidence for it.

    Attributes:
        latent: the best code found, in the method's space.
        reconstruction: the generator's image of that code.
        quality: how close the reconstruction is to the image.
        losses: the loss before each step, of all servers that took part.
        stop_reason: why refinement ended.
        steps: steps done in all.
        timings: where the time went, on the server that answered.
        resumed: how often the inversion went on from a checkpoint after its server was lost.
        method: which found it; empty where a server without methods answered.
        in_domain: how plausible image and code are; None where the pack knows no domain.
        beyond: how much what the code has besides its W+ part changes the image, grey; None for codes that
            have nothing besides.
        cached: whether it was found for an equal call, before or at the same time.
    """

    latent: LatentCode
    reconstruction: Picture
    quality: Quality
    losses: tuple[float, ...] = field(repr=False)
    stop_reason: StopReason
    steps: int
    timings: Timings
    resumed: int = 0
    method: str = ""
    in_domain: InDomain | None = None
    beyond: Picture | None = None
    cached: bool = False


@dataclass(frozen=True)
class AttributeOutcome:
    """What became of one attribute, in its unit.

    Attributes:
        part: asked, held or free.
        before: what the image read before.
        asked: what was asked for; of one without a goal the same as before.
        reached: what the image reads now.
    """

    part: AttributePart
    before: float
    asked: float
    reached: float


@dataclass(frozen=True)
class TargetOutcome:
    """What became of a `Reach`.

    Attributes:
        attributes: by name.
        rounds: done.
        end: why it ended.
    """

    attributes: Mapping[str, AttributeOutcome]
    rounds: int
    end: End


@dataclass(frozen=True)
class EditedImage:
    """One edited image.

    Attributes:
        latent: the edited code.
        image: its image.
        strength: the strength, amount or value that made it, where there were several; else 0.
        targets: what became of each `Reach` among the operations.
        border_error: how visible the border is that the edit was confined by: by how much the change jumps
            there from pixel to pixel, in units of pixels' range; None where it was not.
    """

    latent: LatentCode
    image: Picture
    strength: float
    targets: tuple[TargetOutcome, ...] = ()
    border_error: float | None = None


@dataclass(frozen=True)
class Edit:
    """An edit's answer.

    Attributes:
        images: one, or one for each strength, amount or value, in their order.
        inversion: how the image was inverted, where an image was edited; else None.
        timings: where the time of the edit itself went.
    """

    images: tuple[EditedImage, ...]
    inversion: Inversion | None
    timings: Timings


@dataclass(frozen=True)
class SessionAnswer:
    """The answer to a change of a session.

    Attributes:
        number: the change's.
        edited: what it made.
        dropped: how many changes between the one answered before and this one were dropped for newer ones.
        timings: where the time went, from when the change came to the server.
    """

    number: int
    edited: EditedImage
    dropped: int
    timings: Timings


@dataclass(frozen=True)
class SynthesizedImage:
    """A latent code and its image."""

    latent: LatentCode
    image: Picture
