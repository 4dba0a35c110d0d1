"""Where an edit shows: a part of the image, and messages made of it."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from relatent.client.errors import InputError
from relatent.client.images import ImageInput, fit_message, image_message
from relatent.core.fit import Fit
from relatent.v1 import editing_pb2, types_pb2

_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)
"""The Exif tag of how a picture is turned, and its values for those that lie on their side."""


_SENT = ("PNG", "JPEG", "WEBP")


@dataclass(frozen=True)
class Within:
    """Confine an edit to a part of the image: outside, it stays as it was before the edit.

    Attributes:
        mask: white where the edit shows, black where not; in the proportions of the image that is edited.
        feather: how softly it ends: the standard deviation of the mask's blur, in pixels of the answer; 0
            to a quarter of its side.
    """

    mask: ImageInput
    feather: float = 0.0


def region_message(
    within: Within, fit: Fit | str | None, image: types_pb2.Image | None
) -> editing_pb2.Region:
    """Make a message of where an edit shows.

    Args:
        within: where.
        fit: what is done with the image if it is not square.
        image: the one that is edited; None for a code.

    Raises:
        InputError: no such file, an image that cannot be sent, or a mask of other proportions than the image.
    """
    mask = image_message(within.mask, "within.mask")
    if image is not None:
        _check_proportions(_size(mask), _size(image))
    try:
        return editing_pb2.Region(mask=mask, fit=fit_message(fit), feather=within.feather)
    except (TypeError, ValueError) as error:
        raise InputError(f"within.feather: {within.feather!r}: {error}") from error


def _size(message: types_pb2.Image) -> tuple[int, int] | None:
    """Width and height of a picture once upright; None where the service will say what is wrong with it."""
    if message.format == types_pb2.IMAGE_FORMAT_RAW_RGB:
        return message.width, message.height
    try:
        with Image.open(io.BytesIO(message.data), formats=_SENT) as picture:
            width, height = picture.size
            sideways = picture.getexif().get(_ORIENTATION) in _SIDEWAYS
    except Exception:  # the decoders raise nearly anything on broken bytes
        return None
    return (height, width) if sideways else (width, height)


def _check_proportions(mask: tuple[int, int] | None, image: tuple[int, int] | None) -> None:
    """The service's own check, to a pixel of either; it sees the code of the image, and not its size."""
    if mask is None or image is None:
        return
    if abs(mask[0] * image[1] - image[0] * mask[1]) > max(*mask, *image):
        raise InputError(
            f"within.mask: expected the image's proportions, {image[0]} x {image[1]}, "
            f"got {mask[0]} x {mask[1]}"
        )
