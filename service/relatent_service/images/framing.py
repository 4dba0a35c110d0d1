"""Pictures of any size and shape as the squares that graphs take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relatent.core.fit import Fit
from relatent_service.errors import InvalidField

Pixels = NDArray[np.uint8]


def square(picture: Image.Image, fit: Fit, resolution: int, field: str) -> Pixels:
    """Bring a picture to a square of a resolution, averaging areas where it shrinks.

    Args:
        picture: of mode RGB or L.
        fit: what to do where it is not square: keep the centre, repeat the border, or refuse.
        resolution: side of the square, R.
        field: where the picture is in the request.

    Returns:
        uint8 [R, R, 3], or [R, R] for mode L.

    Raises:
        InvalidField: it is not square and `fit` is REFUSE.
    """
    return framed(picture, fit, (resolution, resolution), field)


def framed(picture: Image.Image, fit: Fit, size: tuple[int, int], field: str) -> Pixels:
    """Bring a picture to a width and height in the same way: one of their proportions, or a square one.

    Args:
        picture: of mode RGB or L.
        fit: what to do where it is neither: make it square by keeping the centre or by repeating the border,
            or refuse.
        size: width and height, W and H; pixels are as much wider than high as a square has to be squeezed.
        field: where the picture is in the request.

    Returns:
        uint8 [H, W, 3], or [H, W] for mode L.

    Raises:
        InvalidField: it has other proportions and `fit` is REFUSE.
    """
    width, height = picture.size
    if width * size[1] == height * size[0] or width == height:
        return np.asarray(_resize(picture, size))
    if fit is Fit.REFUSE:
        also = "" if size[0] == size[1] else f", or one of {size[0]} x {size[1]},"
        raise InvalidField(
            field,
            f"expected a square image{also} with FIT_REFUSE, got {width} x {height}",
            reason="NOT_SQUARE",
        )
    if fit is Fit.CROP:
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return np.asarray(_resize(picture, size, (left, top, left + side, top + side)))
    return np.asarray(_resize(Image.fromarray(_pad(picture, max(size))), size))


def enlarges(whole: tuple[int, int], fit: Fit, size: tuple[int, int]) -> bool:
    """Whether `framed` makes more pixels of a picture of a width and height than it has."""
    if whole[0] * size[1] == whole[1] * size[0]:
        return whole[0] < size[0]
    return (max(whole) if fit is Fit.PAD else min(whole)) < max(size)


def check_proportions(mask: Image.Image, size: tuple[int, int], field: str) -> None:
    """Check that a mask has the proportions of its picture, of a width and height, to a pixel of either.

    Raises:
        InvalidField: it has others.
    """
    width, height = size
    skew = abs(mask.width * height - mask.height * width)
    if skew > max(mask.width, mask.height, width, height):
        raise InvalidField(
            field,
            f"expected the image's proportions, {width} x {height}, got {mask.width} x {mask.height}",
        )


def _pad(picture: Image.Image, resolution: int) -> Pixels:
    """Shrink first and repeat the border after: the square of a long strip would be huge."""
    scale = resolution / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    pixels = np.asarray(_resize(picture, size))
    missing = [(resolution - length) for length in pixels.shape[:2]]
    margins = [(lack // 2, lack - lack // 2) for lack in missing]
    return np.pad(pixels, [*margins, (0, 0)][: pixels.ndim], mode="edge")


def _resize(
    picture: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """Average over areas where the picture shrinks, interpolate where it grows."""
    box = box or (0, 0, *picture.size)
    if picture.size == size and box == (0, 0, *size):
        return picture
    shrinks = box[2] - box[0] >= size[0] and box[3] - box[1] >= size[1]
    return picture.resize(size, Image.Resampling.BOX if shrinks else Image.Resampling.LANCZOS, box)
