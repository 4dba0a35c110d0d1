"""Transformations of images: what they do, and where they know what is wanted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from relatent_export.directions.transforms import TRANSFORMS, Transformed, masked_error

SIDE = 32


@pytest.fixture
def image() -> Tensor:
    """A light spot at the right, half-way up."""
    image = torch.full((1, 3, SIDE, SIDE), -0.5)
    image[..., 15:17, 23:25] = 0.5
    return image


def applied(name: str, image: Tensor, amount: float) -> Transformed:
    return TRANSFORMS[name].apply(image, torch.full((len(image),), amount))


def spot(found: Transformed) -> tuple[float, float]:
    """How far right of the middle and below it the light is, in shares of the side."""
    light = ((found.image[0, 0] + 0.5) * found.mask[0, 0]).clamp(min=0)
    places = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    x = (light.sum(0) * places).sum() / light.sum()
    y = (light.sum(1) * places).sum() / light.sum()
    return float(x), float(y)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_an_amount_of_0_leaves_images_as_they_are_and_all_of_them_known(name: str) -> None:
    image = 2 * torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) - 1
    found = applied(name, image, 0.0)
    torch.testing.assert_close(found.image, image, atol=1e-5, rtol=0)
    assert found.mask.min() == 1


@pytest.mark.parametrize(
    ("name", "amount", "place"),
    [
        ("zoom", -1.0, (0.125, 0.0)),
        ("zoom", 0.5, (0.25 * 2**0.5, 0.0)),
        ("shift_x", 0.125, (0.375, 0.0)),
        ("shift_x", -0.25, (0.0, 0.0)),
        ("shift_y", 0.25, (0.25, 0.25)),
        ("rotate", 90.0, (0.0, -0.25)),
        ("rotate", -45.0, (0.25 / 2**0.5, 0.25 / 2**0.5)),
    ],
)
def test_what_is_seen_goes_where_the_unit_says(
    image: Tensor, name: str, amount: float, place: tuple[float, float]
) -> None:
    assert spot(applied(name, image, amount)) == pytest.approx(place, abs=0.01)


@pytest.mark.parametrize(
    ("name", "amount", "known"),
    [("zoom", -1.0, 0.25), ("zoom", 1.0, 1.0), ("shift_x", 0.25, 0.75), ("shift_y", -0.5, 0.5)],
)
def test_what_comes_in_from_outside_is_not_known(
    image: Tensor, name: str, amount: float, known: float
) -> None:
    assert float(applied(name, image, amount).mask.mean()) == pytest.approx(known, abs=0.07)


@pytest.mark.parametrize(
    ("name", "channels"),
    [("brightness", (0, 1, 2)), ("red", (0,)), ("green", (1,)), ("blue", (2,))],
)
def test_a_tint_is_added_to_its_channels_and_ends_at_white(
    image: Tensor, name: str, channels: tuple[int, ...]
) -> None:
    found = applied(name, image, 0.5)
    for channel in range(3):
        expected = (image[:, channel] + (1.0 if channel in channels else 0.0)).clamp(max=1)
        torch.testing.assert_close(found.image[:, channel], expected)


def test_errors_are_those_of_known_pixels_and_0_where_none_is() -> None:
    image = torch.zeros(2, 3, 2, 2)
    wanted = Transformed(torch.ones(2, 3, 2, 2), torch.zeros(2, 1, 2, 2))
    wanted.mask[0, :, 0, 0] = 1
    wanted.image[0, :, 0, 0] = 0.5
    assert masked_error(image, wanted).tolist() == [0.25, 0.0]
