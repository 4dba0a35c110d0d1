"""The way from one picture to another, through the codes between theirs. No more of the page than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from relatent.client.blocking import Client
from relatent.client.catalog import PackInfo
from relatent.client.recipes import Recipe
from relatent.client.requests import Interpolate, InvertOptions
from relatent.client.results import EditedImage, Inversion
from relatent.playground.downloads import Maker, latent_bytes
from relatent.playground.parts.pictures import picture_format

STRIP = tuple(number / 6 for number in range(7))
"""How far those of a strip have gone."""
MIDDLE = 0.5
_END_FILE = "second.safetensors"
_SECONDS = 30.0


@dataclass(frozen=True)
class MorphWork:
    """Two pictures, and the one between them that is looked at.

    Attributes:
        key: that its files are offered by.
        start, end: the two.
        options: how they were inverted.
        amount: how far the one between has gone, 0 to 1.
        frame: it.
    """

    key: str
    start: Inversion
    end: Inversion
    options: InvertOptions
    amount: float
    frame: EditedImage


def frames(
    client: Client, pack: PackInfo, start: Inversion, end: Inversion, amounts: Sequence[float]
) -> tuple[EditedImage, ...]:
    """Pictures on the way, in the order of the amounts.

    Raises:
        CallError: the service refuses it, or is lost.
    """
    way = Interpolate(end.latent, list(amounts))
    asked = picture_format(pack)
    return client.edit(start.latent, [way], output_format=asked, timeout=_SECONDS).images


def moved(client: Client, pack: PackInfo, work: MorphWork, amount: float) -> MorphWork:
    """Looking at another place of the way.

    Raises:
        CallError: the service refuses it, or is lost.
    """
    (frame,) = frames(client, pack, work.start, work.end, [amount])
    return replace(work, amount=amount, frame=frame)


def words(amount: float) -> str:
    """Where on the way a picture is."""
    if amount <= 0:
        return "The first picture, as the model makes it."
    if amount >= 1:
        return "The second picture, as the model makes it."
    return f"{amount:.0%} of the way from the first picture to the second."


def file_names(pack: PackInfo) -> dict[str, str]:
    """The names of the files that `files` makes, by what they are."""
    kind = picture_format(pack).value
    return {
        "picture": f"morph.{kind}",
        "latent code": "morph.safetensors",
        "recipe": "morph.json",
        "the second picture's code, which the recipe needs beside it": _END_FILE,
    }


def files(work: MorphWork, pack: PackInfo) -> dict[str, Maker]:
    """How what somebody may take home is made, by the files' names."""
    picture, latent, recipe, end = file_names(pack).values()
    return {
        picture: lambda: work.frame.image.data,
        latent: lambda: latent_bytes(work.frame.latent),
        recipe: lambda: _recipe(work, pack).to_json().encode(),
        end: lambda: latent_bytes(work.end.latent),
    }


def _recipe(work: MorphWork, pack: PackInfo) -> Recipe:
    """The morph, to be done to other pictures."""
    way = Interpolate(work.end.latent, work.amount)
    return Recipe([way], work.options, pack.name, {"operations[0].other": _END_FILE})
