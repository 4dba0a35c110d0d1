"""What happens along a side of an image, as matrices, against plain formulations of the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from relatent.core.axes import Axis, averaging, blurring, interpolating, repeating

R = 16


def drawn(height: int = R, width: int = R, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def blurred_by_hand(line: NDArray[Any], deviation: float) -> NDArray[Any]:
    """Pixel by pixel, the border repeated for as far as it matters."""
    reach = 60
    kernel = np.array([np.exp(-((k / deviation) ** 2) / 2) for k in range(-reach, reach + 1)])
    longer = np.concatenate([[line[0]] * reach, line, [line[-1]] * reach])
    return np.array([(longer[i : i + 2 * reach + 1] * kernel).sum() / kernel.sum() for i in range(len(line))])


@pytest.mark.parametrize("times", [1, 2, 4, 8, 16])
def test_averaging_by_a_divisor_is_the_mean_of_equal_areas(times: int) -> None:
    line = np.random.default_rng(times).random(R)
    np.testing.assert_allclose(averaging(R // times, R) @ line, line.reshape(-1, times).mean(1))


@pytest.mark.parametrize("outputs", [1, 3, 5, 7, 13, 15])
def test_pixels_that_cover_parts_of_others_are_their_means_and_keep_the_images(outputs: int) -> None:
    shares, line = averaging(outputs, R), np.random.default_rng(0).random(R)
    np.testing.assert_allclose(shares.sum(1), 1)
    assert (shares @ line).mean() == pytest.approx(line.mean())
    fine = line.repeat(outputs)  # each pixel in as many parts as there are outputs
    np.testing.assert_allclose(shares @ line, fine.reshape(outputs, R).mean(1))


@pytest.mark.parametrize("deviation", [0.3, 1.0, 2.5, 6.0])
def test_a_blur_is_a_convolution_with_a_gaussian(deviation: float) -> None:
    line = np.random.default_rng(1).random(R)
    np.testing.assert_allclose(blurring(R, deviation) @ line, blurred_by_hand(line, deviation), atol=2e-4)
    np.testing.assert_allclose(blurring(R, deviation).sum(1), 1)


def test_no_blur_is_none() -> None:
    np.testing.assert_array_equal(blurring(R, 0), np.eye(R))


@pytest.mark.parametrize("side", [1, 3, 4, 8, 15])
def test_interpolating_is_pillows_bilinear_enlargement(side: int) -> None:
    small = drawn(side, side, seed=side)
    enlarged = np.asarray(Image.fromarray(small).resize((R, R), Image.Resampling.BILINEAR))
    matrix = interpolating(R, side)
    np.testing.assert_allclose(np.einsum("ih,hwc,jw->ijc", matrix, small, matrix), enlarged, atol=1.01)
    np.testing.assert_allclose(matrix.sum(1), 1)


@pytest.mark.parametrize("side", [1, 3, 4, 8, 15])
def test_repeating_is_pillows_nearest_enlargement(side: int) -> None:
    line = np.arange(side, dtype=np.uint8)
    enlarged = np.asarray(Image.fromarray(line[None]).resize((R, 1), Image.Resampling.NEAREST))[0]
    np.testing.assert_array_equal(repeating(R, side) @ line, enlarged)


def test_an_axis_along_which_nothing_is_done_has_no_matrices() -> None:
    axis = Axis(R, R, 0.0, squares=False)
    assert (axis.matrix, axis.inverse, axis.spreading) == (None, None, None)
    np.testing.assert_array_equal(axis.compared(R // 2), np.eye(R // 2))
