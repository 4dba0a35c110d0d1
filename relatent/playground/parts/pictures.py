"""Pictures at a size that one can see."""

from __future__ import annotations

import base64
import io

from PIL import Image, ImageOps

from relatent.client.catalog import PackInfo
from relatent.client.images import ImageFormat, Picture, image_message

SIDE = 512
"""Pixels that pictures on the page have at least."""
_SMALL = 256
"""Pixels up to which pictures are sent without loss: larger ones would take longer than their making."""


def shown(picture: Picture | Image.Image) -> Image.Image:
    """A picture for the page: one that is smaller is drawn larger, smoothly, by a whole number.

    Args:
        picture: of any size.

    Returns:
        RGB, its shorter side at least `SIDE` pixels.
    """
    image = picture.image if isinstance(picture, Picture) else picture.convert("RGB")
    times = -(-SIDE // min(image.size))
    if times <= 1:
        return image
    return image.resize((image.width * times, image.height * times), Image.Resampling.LANCZOS)


def square(data: bytes, side: int) -> Image.Image | None:
    """The middle of a picture's file, upright, as the service takes it.

    Args:
        data: the file's bytes.
        side: of the square, in pixels.

    Returns:
        RGB; None of what cannot be read here, for the service to judge.

    Raises:
        InputError: the client refuses it.
    """
    sent = image_message(data).data
    try:
        with Image.open(io.BytesIO(sent)) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except MemoryError:
        raise
    except Exception:  # decoders raise nearly anything on broken bytes
        return None
    return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)


def data_url(picture: Picture | Image.Image, kind: str = "png") -> str:
    """A picture as an address that holds it whole.

    Args:
        picture: one of the service's as it was sent, unless without a format; or any other.
        kind: the format of those that have none yet.
    """
    if isinstance(picture, Picture) and picture.format is not ImageFormat.RAW:
        kind, data = picture.format.value, picture.data
    else:
        buffer = io.BytesIO()
        (picture.image if isinstance(picture, Picture) else picture).save(buffer, kind.upper())
        data = buffer.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def picture_format(pack: PackInfo) -> ImageFormat:
    """How a pack's pictures come to the page."""
    return ImageFormat.PNG if pack.resolution <= _SMALL else ImageFormat.WEBP
