"""Pictures as messages: encoded ones as they are where the service takes them, pixels raw or as PNG."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relatent.client.colour import for_png
from relatent.client.errors import InputError
from relatent.client.images.decoding import decode, upright
from relatent.core import filetypes
from relatent.core.damage import damage
from relatent.core.filetypes import Use
from relatent.v1 import types_pb2

_RAW_LIMIT = 4 << 20
"""Bytes up to which pixels are sent as they are; larger ones as PNG, which is slower but smaller."""
_LOSSY_LIMIT = 16 << 20
"""Bytes of a PNG made of a lossy file, above which it is sent as JPEG: services limit an image's bytes."""
_LOSSY = (filetypes.AVIF, filetypes.HEIC)


def encoded_message(data: bytes, where: str) -> types_pb2.Image:
    """Send a picture's file as it is, or convert it; see `relatent.client.images.image_message`.

    Args:
        data: the file's bytes.
        where: what to call it in errors.

    Raises:
        InputError: it is known to be something else than a picture, or cannot be converted.
    """
    found = filetypes.recognise(data[: filetypes.HEAD])
    if found is None or found.use is Use.SENT:
        return types_pb2.Image(data=data)
    if found.use is not Use.CONVERTED:
        raise InputError(f"{where}: {found.refusal(filetypes.CLIENT_TAKES)}")
    return _message(decode(data, found, where), where, lossy=found in _LOSSY)


def pil_message(image: Image.Image, what: str) -> types_pb2.Image:
    """Send a PIL image, upright.

    Raises:
        InputError: it cannot be decoded, or is of a mode that cannot be sent.
    """
    try:
        turned = upright(image)
    except MemoryError:
        raise
    except Exception as error:  # opened by Pillow but not decoded yet: that raises nearly anything
        raise InputError(f"{what}: a PIL image that is broken: {damage(b'', error)}") from error
    return _message(turned, what)


def array_message(array: NDArray[Any], what: str) -> types_pb2.Image:
    """Send an array.

    Raises:
        InputError: it is none of uint8 [H, W, 3].
    """
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise InputError(f"{what}: expected a uint8 array [H, W, 3], got {array.dtype} {list(array.shape)}")
    return _message(Image.fromarray(np.ascontiguousarray(array)), what)


def _message(image: Image.Image, what: str, *, lossy: bool = False) -> types_pb2.Image:
    sent = for_png(image, what)
    plain = sent.mode == "RGB" and not {"icc_profile", "transparency"} & sent.info.keys()
    if plain and sent.width * sent.height * 3 <= _RAW_LIMIT:
        return types_pb2.Image(
            data=sent.tobytes(), format=types_pb2.IMAGE_FORMAT_RAW_RGB, width=sent.width, height=sent.height
        )
    png = _encoded(sent, "PNG", compress_level=1)
    if lossy and len(png) > _LOSSY_LIMIT and sent.mode in ("RGB", "L") and "transparency" not in sent.info:
        profile = sent.info.get("icc_profile")
        jpeg = _encoded(sent, "JPEG", quality=95, subsampling=0, icc_profile=profile)
        return types_pb2.Image(data=jpeg, format=types_pb2.IMAGE_FORMAT_JPEG)
    return types_pb2.Image(data=png, format=types_pb2.IMAGE_FORMAT_PNG)


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
