"""What was done to an image, as matrices, against plain formulations of the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relatent.core.degradation import GREY, Degradation
from tests.relatent.core.test_axes import blurred_by_hand, drawn

R = 16
SEPIA = np.array([[0.39, 0.77, 0.19], [0.35, 0.69, 0.17], [0.27, 0.53, 0.33]]) / 1.4
MIXED = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.1, 0.7]])
LEVEL = 1 / 255


def middling(seed: int = 0) -> NDArray[np.uint8]:
    """An image that nothing done to it takes out of its range."""
    return np.random.default_rng(seed).integers(100, 156, (R, R, 3), np.uint8)


def half_known(height: int = R, width: int = R) -> NDArray[np.bool_]:
    known = np.zeros((height, width), np.bool_)
    known[:, : width // 2] = True
    return known


def test_what_was_done_is_done_in_its_order() -> None:
    image, degradation = drawn(), Degradation(R, 8, 4, 1.5, SEPIA)
    pixels = image / 255
    for _ in range(2):  # either axis comes to the front
        lines = pixels.reshape(R, -1)
        done = np.stack([blurred_by_hand(line, 1.5) for line in lines.T], axis=1)
        pixels = done.reshape(pixels.shape).transpose(1, 0, 2)
    small = pixels.reshape(8, 2, 4, 4, 3).mean((1, 3))
    by_hand = np.einsum("ck,ijk->ijc", SEPIA, small)
    np.testing.assert_allclose(degradation.of(image), by_hand, atol=2e-4)


def test_nothing_done_leaves_the_image_and_makes_inputs_of_zeros() -> None:
    image, nothing = drawn(), Degradation(R, R, R)
    np.testing.assert_array_equal(np.rint(nothing.of(image) * 255), image)
    np.testing.assert_array_equal(nothing.spread(image), image)
    assert not nothing.changes_pixels
    for size in (R, R // 2):
        inputs = nothing.graph_inputs(size)
        shapes = {"colour": (3, 3), "rows": (size, size), "columns": (size, size), "mask": (R, R)}
        assert {name: value.shape for name, value in inputs.items()} == shapes
        assert {str(inputs[name].dtype) for name in ("colour", "rows", "columns")} == {"float32"}
        assert all(not inputs[name].any() for name in ("colour", "rows", "columns"))
        assert inputs["mask"].dtype == np.uint8
        assert (inputs["mask"] == 255).all()


ALL_KINDS = [
    Degradation(R, height, width, blur, colour, half_known(height, width) if masked else None)
    for (height, width), blur, colour, masked in product(
        [(R, R), (8, 8), (4, 16), (11, 7), (1, 1)], [0.0, 1.2], [None, MIXED], [False, True]
    )
    if not (masked and width == 1)
]


def compared(degradation: Degradation, image: NDArray[Any], size: int) -> NDArray[Any]:
    """What a refinement graph makes of an image that was averaged down."""
    inputs = degradation.graph_inputs(size)
    rows, columns = (inputs[name] + np.eye(size) for name in ("rows", "columns"))
    return np.einsum("ih,hwc,jw->ijc", rows, image @ (inputs["colour"] + np.eye(3)).T, columns)


@pytest.mark.parametrize("degradation", ALL_KINDS)
def test_a_graph_sees_of_an_image_what_is_given_of_it_spread(degradation: Degradation) -> None:
    image = middling()
    given = np.asarray((degradation.of(image) * 255).round(), np.uint8)
    known = None if degradation.known is None else np.ones_like(degradation.known)
    spread = replace(degradation, known=known).spread(given) / 255
    np.testing.assert_allclose(compared(degradation, image / 255, R), spread, atol=1.01 * LEVEL)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (2, 8), (4, 1), (8, 8)])
@pytest.mark.parametrize("colour", [None, GREY])
def test_so_does_one_that_compares_at_half_the_size(
    height: int, width: int, colour: NDArray[Any] | None
) -> None:
    """Exactly where nothing is blurred and what is given is no finer than that."""
    image, degradation = middling(), Degradation(R, height, width, colour=colour)
    given = np.asarray((degradation.of(image) * 255).round(), np.uint8)
    half = (degradation.spread(given) / 255).reshape(8, 2, 8, 2, 3).mean((1, 3))
    small = (image / 255).reshape(8, 2, 8, 2, 3).mean((1, 3))
    np.testing.assert_allclose(compared(degradation, small, 8), half, atol=1.01 * LEVEL)


@pytest.mark.parametrize("height", [R, 12, 4])
def test_a_blur_is_nearly_the_same_at_half_the_size(height: int) -> None:
    ramp = np.linspace(40, 210, R)[:, None, None] + np.linspace(-30, 30, R)[:, None]
    image = np.broadcast_to(ramp, (R, R, 3)).astype(np.uint8)
    degradation = Degradation(R, height, height, 2.0)
    given = np.asarray((degradation.of(image) * 255).round(), np.uint8)
    half = (degradation.spread(given) / 255).reshape(8, 2, 8, 2, 3).mean((1, 3))
    small = (image / 255).reshape(8, 2, 8, 2, 3).mean((1, 3))
    np.testing.assert_allclose(compared(degradation, small, 8), half, atol=0.02)


@pytest.mark.parametrize(("height", "width"), [(R, R), (8, 8), (4, 2)])
def test_a_graphs_mask_is_white_where_each_known_pixel_lies(height: int, width: int) -> None:
    known = np.zeros((height, width), np.bool_)
    known[1, 1] = True  # even one that has no known neighbour
    mask = Degradation(R, height, width, known=known).graph_inputs(R)["mask"]
    tall, wide = R // height, R // width
    by_hand = np.zeros((R, R), np.uint8)
    by_hand[tall : 2 * tall, wide : 2 * wide] = 255
    np.testing.assert_array_equal(mask, by_hand)


@pytest.mark.parametrize("degradation", ALL_KINDS)
def test_a_true_image_is_seen_as_what_was_given(degradation: Degradation) -> None:
    """And what is unknown is as it was filled in, whatever is there."""
    image = middling()
    given = np.asarray((degradation.of(image) * 255).round(), np.uint8)
    spread = degradation.spread(given)
    seen = degradation.seen(image, spread)
    assert seen.dtype == np.uint8
    assert np.abs(seen.astype(int) - spread).max() <= 1
    white = degradation.graph_inputs(R)["mask"] > 0
    other = degradation.seen(np.invert(image), spread)
    np.testing.assert_array_equal(other[~white], spread[~white])
    if degradation.blur == 0 and white.any():
        assert (other[white] != spread[white]).any()


def test_what_is_unknown_is_filled_with_the_mean_of_what_is_known() -> None:
    given, known = drawn(8, 8), half_known(8, 8)
    spread = Degradation(R, 8, 8, known=known).spread(given)
    mean = given[known].mean(0)
    np.testing.assert_allclose(spread[:, 8:], np.broadcast_to(mean, (R, 8, 3)), atol=0.51)
    filled = np.where(known[:, :, None], given, mean)
    np.testing.assert_allclose(spread, filled.repeat(2, 0).repeat(2, 1), atol=0.51)


def test_known_pixels_are_put_back_to_the_bit_and_others_left_alone() -> None:
    image, given, known = drawn(seed=1), drawn(seed=2), half_known()
    kept = Degradation(R, R, R, known=known).kept(image, given)
    np.testing.assert_array_equal(kept[known], given[known])
    np.testing.assert_array_equal(kept[~known], image[~known])


@pytest.mark.parametrize(
    ("height", "width", "colour", "masked"),
    [
        (8, 8, None, False),
        (4, 16, None, False),
        (7, 5, None, False),
        (R, R, GREY, False),
        (R, R, MIXED, False),
        (8, 8, GREY, False),
        (8, 8, MIXED, True),
        (8, 4, GREY, True),
    ],
)
def test_what_is_given_is_put_back_as_far_as_it_goes(
    height: int, width: int, colour: NDArray[Any] | None, masked: bool
) -> None:
    known = half_known(height, width) if masked else None
    degradation = Degradation(R, height, width, colour=colour, known=known)
    truth, image = middling(1), middling(2)
    given = np.asarray((degradation.of(truth) * 255).round(), np.uint8)
    before, after = image, degradation.kept(image, given)
    where = np.ones((height, width), np.bool_) if known is None else known
    assert np.abs(degradation.of(before) - given / 255)[where].max() > 5 * LEVEL
    assert np.abs(degradation.of(after) - given / 255)[where].max() <= 1.01 * LEVEL
    # What A loses is the image's own: put back once, nothing is left to put back.
    again = degradation.kept(after, given)
    assert np.abs(again.astype(int) - after).max() <= 1


def test_an_image_with_its_pixels_put_back_is_the_nearest_such() -> None:
    degradation, image, truth = Degradation(R, 8, 8), middling(1), middling(2)
    given = np.asarray((degradation.of(truth) * 255).round(), np.uint8)
    kept = degradation.kept(image, given)
    change = (kept.astype(float) - image).reshape(8, 2, 8, 2, 3)
    np.testing.assert_allclose(
        change, np.broadcast_to(change.mean((1, 3), keepdims=True), change.shape), atol=1
    )


def test_of_a_blur_nothing_is_made_that_it_left_nothing_of() -> None:
    degradation, image = Degradation(R, R, R, 2.0), middling(1)
    given = np.asarray((degradation.of(middling(2)) * 255).round(), np.uint8)
    kept = degradation.kept(image, given)
    assert degradation.error(kept, given) < 0.1 * degradation.error(image, given)
    assert np.abs(kept.astype(int) - image).max() < 120, "rounding is not blown up"


def test_the_error_is_over_known_pixels_alone() -> None:
    degradation, known = Degradation(R, 8, 8), half_known(8, 8)
    image, given = drawn(seed=1), drawn(8, 8, seed=2)
    away = degradation.of(image) - given / 255
    assert degradation.error(image, given) == pytest.approx(np.mean(away**2))
    some = replace(degradation, known=known)
    assert some.error(image, given) == pytest.approx(np.mean(away[:, :4] ** 2))
    other = given.copy()
    other[~known] = 255 - other[~known]
    assert some.error(image, other) == some.error(image, given)


@pytest.mark.parametrize(
    ("degradation", "changes"),
    [
        (Degradation(R, R, R, known=half_known()), False),
        (Degradation(R, R, R, 0.1), True),
        (Degradation(R, R, 8), True),
        (Degradation(R, 8, R), True),
        (Degradation(R, R, R, colour=GREY), True),
    ],
)
def test_a_mask_alone_changes_no_pixel_that_is_known(degradation: Degradation, changes: bool) -> None:
    assert degradation.changes_pixels is changes
