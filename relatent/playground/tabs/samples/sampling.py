"""Pictures that the model makes of seeds. No more of the page than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relatent.client.blocking import Client
from relatent.client.catalog import PackInfo
from relatent.client.errors import InputError
from relatent.client.results import SynthesizedImage
from relatent.playground.downloads import Maker, latent_bytes
from relatent.playground.parts.pictures import picture_format

MOST = 24
"""Pictures of one look."""
MOST_SEED = 2**64 - 1


@dataclass(frozen=True)
class DrawnSamples:
    """Pictures of seeds.

    Attributes:
        key: that the files of the chosen one are offered by.
        seeds: of each.
        samples: each.
    """

    key: str
    seeds: tuple[int, ...]
    samples: tuple[SynthesizedImage, ...]


def seeds(first: str, count: int) -> tuple[int, ...]:
    """Seeds in a row.

    Args:
        first: what somebody wrote.
        count: how many.

    Raises:
        InputError: it is no seed.
    """
    text = first.strip()
    if not text.isdecimal() or int(text) + count - 1 > MOST_SEED:
        raise InputError(f"a seed is a whole number from 0 to {MOST_SEED:,}, not {text or 'nothing'!r}")
    return tuple(range(int(text), int(text) + count))


def draw(
    client: Client, pack: PackInfo, chosen: Sequence[int], truncation: float
) -> tuple[SynthesizedImage, ...]:
    """A picture of each seed.

    Raises:
        CallError: the service refuses it, or is lost.
    """
    return client.sample(chosen, truncation=truncation, pack=pack.name, output_format=picture_format(pack))


def words(truncation: float, count: int) -> str:
    """What a truncation means for pictures."""
    made = "1 picture" if count == 1 else f"{count} pictures"
    if truncation <= 0:
        return f"{made} at truncation 0: all of them the model's mean picture."
    if truncation >= 1:
        return f"{made} at truncation 1: all that the model can make, odd ones among them."
    return f"{made} at truncation {truncation:g}: the nearer to 0, the more usual, and the more alike."


def file_names(pack: PackInfo, seed: int) -> dict[str, str]:
    """The names of the files that `files` makes, by what they are."""
    kind = picture_format(pack).value
    return {"picture": f"seed-{seed}.{kind}", "latent code": f"seed-{seed}.safetensors"}


def files(pack: PackInfo, seed: int, sample: SynthesizedImage) -> dict[str, Maker]:
    """How what somebody may take home is made, by the files' names."""
    picture, latent = file_names(pack, seed).values()
    return {picture: lambda: sample.image.data, latent: lambda: latent_bytes(sample.latent)}
