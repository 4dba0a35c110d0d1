"""A picture moved by what a text says. No more of the page than that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from relatent.client.blocking import Client
from relatent.client.catalog import AttributeInfo, PackInfo
from relatent.client.errors import CallError, InputError
from relatent.client.images import Picture
from relatent.client.recipes import Recipe
from relatent.client.requests import InvertOptions
from relatent.client.results import EditedImage, Inversion
from relatent.client.texts import Text
from relatent.playground import words
from relatent.playground.downloads import Maker, latent_bytes
from relatent.playground.parts.pictures import picture_format

MOST_MOVED = 5
"""What is told at most of what moved."""
_LEAST_SHARE = 0.05
"""Of an attribute's range: what moves less is not told."""
_SECONDS = 30.0


@dataclass(frozen=True)
class TextWork:
    """A picture, and what a text made of it.

    Attributes:
        key: that its files are offered by.
        path: of the picture's file.
        options: how it was inverted.
        inversion: what that came to.
        before: what the inverted picture reads, by attribute.
        text: the last one; None before there is one.
        edited: what it made.
        after: what that reads.
    """

    key: str
    path: str
    options: InvertOptions
    inversion: Inversion
    before: Mapping[str, float]
    text: Text | None = None
    edited: EditedImage | None = None
    after: Mapping[str, float] | None = None


def read(client: Client, pack: PackInfo, picture: Picture) -> dict[str, float]:
    """What a picture reads, by attribute; nothing where the pack reads none."""
    if not pack.described:
        return {}
    readings = client.read(picture, pack=pack.name, timeout=_SECONDS)
    return {name: reading.value for name, reading in readings.items()}


def move(client: Client, pack: PackInfo, work: TextWork, text: Text) -> TextWork:
    """Move a picture by a text, always from what it was.

    Raises:
        InputError: the network knows nothing of the text, or nothing in the picture goes with it.
        CallError: the service refuses it, or is lost.
    """
    try:
        asked = picture_format(pack)
        (edited,) = client.edit(work.inversion.latent, [text], output_format=asked, timeout=_SECONDS).images
    except CallError as error:
        if told := _told(error, text):
            raise InputError(told) from error
        raise
    return replace(work, text=text, edited=edited, after=read(client, pack, edited.image))


def in_words(work: TextWork, described: Mapping[str, AttributeInfo]) -> tuple[tuple[str, str], ...]:
    """What moved: sentences, and the figures behind each."""
    if work.edited is None or work.after is None:
        return ()
    was, now = (np.asarray(each, np.float64) for each in (work.inversion.reconstruction, work.edited.image))
    share = float((np.abs(now - was).max(axis=2) > 10).mean())
    what = f"{share:.0%} of the picture" if share >= 0.005 else "Hardly anything in the picture"
    told = [(f"{what} changed to the eye.", f"pixels that differ by more than 10 of 255, {share:.1%}")]
    return (*told, *moved(work.before, work.after, described))


def moved(
    before: Mapping[str, float], after: Mapping[str, float], described: Mapping[str, AttributeInfo]
) -> list[tuple[str, str]]:
    """Which attributes moved clearly, the furthest first: sentences, and the values."""
    shares = {
        name: (after[name] - before[name]) / (info.high - info.low)
        for name, info in described.items()
        if name in before and info.low < info.high
    }
    furthest = sorted(
        (name for name in shares if abs(shares[name]) >= _LEAST_SHARE), key=lambda n: -abs(shares[n])
    )
    told = []
    for name in furthest[:MOST_MOVED]:
        info, share = described[name], shares[name]
        far = "Much" if abs(share) >= 0.5 else "Somewhat" if abs(share) >= 0.15 else "A little"
        way = "more" if share > 0 else "less"
        values = f"{words.value(before[name], info.unit)} → {words.value(after[name], info.unit)}"
        told.append((f"{far} {way}: {info.label}", values))
    return told


def file_names(pack: PackInfo) -> dict[str, str]:
    """The names of the files that `files` makes, by what they are."""
    kind = picture_format(pack).value
    return {"picture": f"text.{kind}", "latent code": "text.safetensors", "recipe": "text.json"}


def files(pack: PackInfo, work: TextWork) -> dict[str, Maker]:
    """How what somebody may take home is made, by the files' names; nothing before there is a text."""
    edited, text = work.edited, work.text
    if edited is None or text is None:
        return {}
    picture, latent, recipe = file_names(pack).values()
    return {
        picture: lambda: edited.image.data,
        latent: lambda: latent_bytes(edited.latent),
        recipe: lambda: Recipe([text], work.options, pack.name).to_json().encode(),
    }


def _told(error: CallError, text: Text) -> str:
    """A refusal of a text in words that need no knowledge of the service; empty for others."""
    about = {violation.field.rpartition(".")[2] for violation in error.violations}
    if error.reason == "UNKNOWN_WORDS":
        unknown = error.message.rpartition(", not ")[2]
        return f"the model knows nothing of {unknown}: say it in other words"
    if "beta" in about:
        return (
            f"nothing that the model can change goes with {text.prompt!r} as closely as {text.beta:.2f}: "
            "lower the threshold, or say it in other words"
        )
    return ""
