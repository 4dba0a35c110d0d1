"""A picture that lacks something, and what it is made whole to. No more of the page than that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from relatent.client.blocking import Client
from relatent.client.catalog import PackInfo
from relatent.client.errors import CallError, InputError
from relatent.client.images import ImageInput
from relatent.client.requests import InvertOptions
from relatent.client.restoring import Degraded, Match, Restoration
from relatent.client.results import Progress
from relatent.client.resuming import ProgressCallback
from relatent.core.quality import Quality, decibels
from relatent.core.restoration import RestorationPreset
from relatent.playground import words
from relatent.playground.downloads import Maker, latent_bytes
from relatent.playground.parts.pictures import picture_format, square
from relatent.playground.tabs.restore import spoiling
from relatent.playground.watching import watched

LABELS = {
    RestorationPreset.COLORIZE: "colours (it is grey)",
    RestorationPreset.UPSCALE: "size (it is small)",
    RestorationPreset.INPAINT: "a part (paint it)",
    RestorationPreset.DENOISE: "smoothness (it is noisy)",
}
"""What a picture may lack, as people say it."""

_AGREEMENT = (
    (50.0, "It agrees with what was given."),
    (35.0, "It agrees closely with what was given."),
    (26.0, "It agrees with what was given, but for details."),
)
_NO_AGREEMENT = "It agrees only roughly with what was given."


@dataclass(frozen=True)
class Wanting:
    """A picture that lacks something.

    Attributes:
        preset: what.
        given: what the service is given.
        picture: the same for the page; None where the page cannot read it.
        whole: the picture that it was made of, of the pack's size; None where nobody knows it.
        known: L, white where it is known; None where all of it is.
    """

    preset: RestorationPreset
    given: ImageInput
    picture: Image.Image | None
    whole: Image.Image | None = None
    known: Image.Image | None = None


def want(
    pack: PackInfo,
    data: bytes,
    preset: RestorationPreset,
    spoil: bool,
    fewer: int,
    painted: Mapping[str, Any] | None,
) -> Wanting:
    """A picture as it is given to the service.

    Args:
        pack: to restore with.
        data: of the picture's file.
        preset: what it lacks, or shall lack.
        spoil: whether it is whole, and is to lack that first.
        fewer: for `upscale`, how many times smaller it is made.
        painted: for `inpaint`, what the editor holds.

    Raises:
        InputError: nothing, or all, is missing of it, or it cannot be read where it is to be changed.
    """
    paints = preset is RestorationPreset.INPAINT
    if not (spoil or paints):
        return Wanting(preset, data, square(data, pack.resolution))
    whole = square(data, pack.resolution)
    if whole is None:
        raise InputError("this is no picture that the page can read: take a PNG, a JPEG or a WebP")
    if not paints:
        given = spoiling.spoilt(whole, preset, fewer)
        return Wanting(preset, given, given, whole)
    known = spoiling.known(painted, pack.resolution)
    if known.getextrema() == (255, 255):
        raise InputError("nothing is painted over yet: paint what is missing, then restore")
    given = spoiling.covered(whole, known)
    return Wanting(preset, given, given, whole, known)


def mend(
    client: Client, pack: PackInfo, wanting: Wanting, keep_known: bool, steps: int | None = None
) -> Iterator[Progress | Restoration]:
    """Restore a picture.

    Args:
        client: of the page.
        pack: to restore with.
        wanting: the picture.
        keep_known: whether what was given is put back; nothing is where noise is what it has too much of.
        steps: of refinement; the preset's unless given.

    Yields:
        Reports with previews, and at last the restoration.

    Raises:
        RelatentError: the picture or the call was refused, or failed.
    """
    options = InvertOptions(pack=pack.name, output_format=picture_format(pack))
    if steps is not None:
        options["steps"] = steps
    degraded = None if wanting.known is None else Degraded(mask=wanting.known)
    keep = keep_known and wanting.preset is not RestorationPreset.DENOISE

    def restore(tell: ProgressCallback) -> Restoration:
        return client.restore(
            wanting.given,
            wanting.preset,
            degraded=degraded,
            keep_known=keep,
            progress=tell,
            preview_every=1,
            **options,
        )

    try:
        yield from watched(restore)
    except CallError as error:
        if error.reason != "NOT_SMALLER":
            raise
        raise InputError(
            f"this picture is not smaller than the model's, which have {pack.resolution} pixels a side: "
            "bring a smaller one, or have it spoilt first"
        ) from error


def in_words(wanting: Wanting, restored: Restoration) -> tuple[tuple[str, str], ...]:
    """What a restoration came to: sentences, and the figures behind each."""
    told = [(agreement(restored.match, wanting.preset), f"match {restored.match.psnr:.1f} dB")]
    if wanting.whole is not None:
        quality = _quality(restored.image.image, wanting.whole)
        like = words.closeness(quality)
        told.append((f"Beside the whole one: {like[0].lower()}{like[1:]}.", f"PSNR {quality.psnr:.1f} dB"))
    return tuple(told)


def agreement(match: Match, preset: RestorationPreset) -> str:
    """How well a restoration agrees with what was given, in words."""
    if preset is RestorationPreset.DENOISE:
        return "What it does not share with what was given should be the noise."
    return next((told for least, told in _AGREEMENT if match.psnr >= least), _NO_AGREEMENT)


def file_names(pack: PackInfo) -> dict[str, str]:
    """The names of the files that `files` makes, by what they are."""
    return {"picture": f"restored.{picture_format(pack).value}", "latent code": "restored.safetensors"}


def files(pack: PackInfo, restored: Restoration) -> dict[str, Maker]:
    """How what somebody may take home is made, by the files' names."""
    picture, latent = file_names(pack).values()
    return {picture: lambda: restored.image.data, latent: lambda: latent_bytes(restored.latent)}


def _quality(picture: Image.Image, whole: Image.Image) -> Quality:
    apart = (np.asarray(picture, np.float64) - np.asarray(whole, np.float64)) / 255
    mse = float(np.mean(apart**2))
    return Quality(mse, decibels(mse), float("nan"), None)
