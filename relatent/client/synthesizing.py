"""Messages made of wishes for images of codes, and for random ones."""

from __future__ import annotations

from collections.abc import Sequence

from relatent.client.errors import InputError
from relatent.client.images import ImageFormat, format_message
from relatent.client.latents import LatentCode, latent_message
from relatent.client.requests import Move, operation_message
from relatent.client.seeds import SeedPath
from relatent.client.texts import text_field
from relatent.v1 import synthesis_pb2


def synthesize_request(
    latents: Sequence[LatentCode], output_format: ImageFormat | str | None = None
) -> synthesis_pb2.SynthesizeRequest:
    """Make a message of codes; see `relatent.Client.synthesize`."""
    return synthesis_pb2.SynthesizeRequest(
        latents=[latent_message(latent) for latent in latents],
        output_format=format_message(output_format),
    )


def sample_request(
    seeds: Sequence[int] | SeedPath,
    moves: Sequence[Move],
    truncation: float | None,
    pack: str,
    output_format: ImageFormat | str | None = None,
) -> synthesis_pb2.SampleRequest:
    """Make a message of seeds; see `relatent.Client.sample`.

    Raises:
        InputError: a seed, a move or a name that cannot be sent.
    """
    path = seeds if isinstance(seeds, SeedPath) else None
    plain = [] if isinstance(seeds, SeedPath) else seeds
    if not all(0 <= seed < 2**64 for seed in (path.ends if path else plain)):
        raise InputError("seeds: expected whole numbers from 0 to 2**64 - 1")
    return synthesis_pb2.SampleRequest(
        pack=text_field(pack, "pack"),
        seeds=plain,
        path=path.message() if path else None,
        truncation=truncation,
        output_format=format_message(output_format),
        z_moves=[operation_message(move).direction for move in moves],
    )
