"""What is taken over from other pictures: the difference of two codes, and the readings of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relatent.client.errors import InputError
from relatent.client.latents import LatentCode, latent_message
from relatent.v1 import editing_pb2


@dataclass(frozen=True)
class Transfer:
    """Add what tells two codes of one person apart, such as an expression: w + amount * (target - source).

    Image2StyleGAN's expression transfer (Abdal et al. 2019): a channel of the difference, one of a code's D
    numbers over all its layers, counts only where its L2 norm is at least the threshold.

    Attributes:
        source: the code without it, such as a neutral face.
        target: the code with it.
        amount: how much, or several for a strip: 1 adds the whole difference.
        threshold: at least 0, at which all channels count; None: 1, as published.
    """

    source: LatentCode
    target: LatentCode
    amount: float | Sequence[float]
    threshold: float | None = None


@dataclass(frozen=True)
class AttributeReading:
    """What an image reads of one attribute.

    Attributes:
        value: in its unit.
        unit: empty for a number without one.
    """

    value: float
    unit: str


def transfer_message(transfer: Transfer, amounts: Sequence[float]) -> editing_pb2.ExpressionTransfer:
    """Make a message of a transfer and its amounts."""
    return editing_pb2.ExpressionTransfer(
        source=latent_message(transfer.source),
        target=latent_message(transfer.target),
        amounts=amounts,
        threshold=transfer.threshold,
    )


def readings(message: editing_pb2.ReadResponse) -> dict[str, AttributeReading]:
    """What an image reads, by attributes' names, in the catalog's order."""
    return {each.attribute: AttributeReading(each.value, each.unit) for each in message.readings}


def chosen(
    read: Mapping[str, AttributeReading], attributes: Sequence[str], where: str
) -> dict[str, AttributeReading]:
    """Some of the readings; all where none are named.

    Raises:
        InputError: one is not there; `where` says what asked for it.
    """
    for name in attributes:
        if name not in read:
            raise InputError(f"{where}: expected some of {', '.join(read)}, got {name!r}")
    return {name: read[name] for name in attributes or read}
