"""Restorations on the page: what the service is given, and what is said of what comes back."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import grpc
import pytest
from PIL import Image

from relatent.client.blocking import Client
from relatent.client.errors import InputError, InvalidArgumentError
from relatent.client.latents import LatentCode
from relatent.client.restoring import Match, Restoration
from relatent.client.results import Timings
from relatent.core.restoration import RestorationPreset
from relatent.core.stopping import StopReason
from relatent.playground.tabs.restore import mending
from relatent.playground.tabs.restore.mending import Wanting
from tests.relatent.playground.made import PACK, SIDE, latent, picture, png

DATA = png(Image.new("RGB", (20, 10), (200, 100, 50)))
STROKE = {"layers": [Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))]}
STROKE["layers"][0].paste((128, 128, 128, 255), (0, 0, 4, SIDE))


def want(preset: RestorationPreset, spoil: bool = True, painted: Any = None) -> Wanting:
    return mending.want(PACK, DATA, preset, spoil, 2, painted)


def restored(psnr: float, code: LatentCode | None = None) -> Restoration:
    match = Match(10 ** (-psnr / 10), psnr)
    return Restoration(picture(), code or latent(), match, (), StopReason.STEPS, 5, Timings(0, 0, 0))


def test_a_picture_that_lacks_something_is_given_as_it_is() -> None:
    wanting = want(RestorationPreset.UPSCALE, spoil=False)
    assert wanting.given == DATA
    assert (wanting.whole, wanting.known) == (None, None)


def test_a_whole_one_is_spoilt_at_the_packs_size_and_kept_to_compare_with() -> None:
    wanting = want(RestorationPreset.UPSCALE)
    assert isinstance(wanting.given, Image.Image)
    assert wanting.given.size == (SIDE // 2, SIDE // 2)
    assert wanting.whole is not None
    assert wanting.whole.size == (SIDE, SIDE)


def test_a_painted_part_is_unknown_whether_spoilt_or_not() -> None:
    for spoil in (True, False):
        wanting = want(RestorationPreset.INPAINT, spoil, STROKE)
        assert wanting.known is not None
        assert [wanting.known.getpixel((column, 0)) for column in (0, 3, 4)] == [0, 0, 255]
        assert isinstance(wanting.given, Image.Image)
        assert wanting.given.getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize(
    ("data", "painted", "says"),
    [
        (DATA, None, "nothing is painted over yet"),
        (b"\x89PNG\r\n\x1a\nbroken", STROKE, "no picture that the page"),
    ],
)
def test_what_cannot_be_restored_is_said(data: bytes, painted: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        mending.want(PACK, data, RestorationPreset.INPAINT, True, 2, painted)


@pytest.mark.parametrize(
    ("preset", "kept"), [(RestorationPreset.COLORIZE, True), (RestorationPreset.DENOISE, False)]
)
def test_what_is_known_is_kept_but_for_noise(preset: RestorationPreset, kept: bool) -> None:
    client = create_autospec(Client)
    client.restore.return_value = restored(60)
    assert list(mending.mend(client, PACK, want(preset), True, steps=7)) == [client.restore.return_value]
    asked = client.restore.call_args.kwargs
    assert (asked["keep_known"], asked["steps"], asked["pack"]) == (kept, 7, PACK.name)


@pytest.mark.parametrize(
    ("psnr", "says"),
    [(60, "agrees with what was given."), (40, "closely"), (30, "details"), (20, "only roughly")],
)
def test_how_well_it_agrees_is_said_in_words(psnr: float, says: str) -> None:
    wanting = Wanting(RestorationPreset.COLORIZE, DATA, None)
    ((told, figures),) = mending.in_words(wanting, restored(psnr))
    assert says in told
    assert figures == f"match {psnr:.1f} dB"


def test_where_the_whole_one_is_known_it_is_held_against_it() -> None:
    wanting = Wanting(RestorationPreset.COLORIZE, DATA, None, Image.new("RGB", (SIDE, SIDE), (100,) * 3))
    told = mending.in_words(wanting, restored(60))
    assert told[1][0].startswith("Beside the whole one: hardly to be told")
    assert told[1][1] == "PSNR 100.0 dB"


def test_a_picture_that_is_not_smaller_is_refused_with_what_would_do() -> None:
    client = create_autospec(Client)
    client.restore.side_effect = InvalidArgumentError(
        grpc.StatusCode.INVALID_ARGUMENT, "image: expected a side of 1 to 7 pixels", reason="NOT_SMALLER"
    )
    with pytest.raises(InputError, match=r"not smaller than the model's, which have 8 pixels a side"):
        list(mending.mend(client, PACK, want(RestorationPreset.UPSCALE, spoil=False), True))


def test_other_refusals_of_a_restoration_pass_as_they_are() -> None:
    client = create_autospec(Client)
    client.restore.side_effect = InvalidArgumentError(grpc.StatusCode.INVALID_ARGUMENT, "steps: too many")
    with pytest.raises(InvalidArgumentError, match="too many"):
        list(mending.mend(client, PACK, want(RestorationPreset.UPSCALE), True))
