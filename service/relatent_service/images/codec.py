"""Images as they travel: bytes in, pixels out, and back. Nothing a caller sends is trusted.

Only three decoders are ever tried, chosen by the first bytes; an image's size is read off its header
and held against the limit before a pixel is decoded. Of an animation the first frame counts.
Blocking: call it off the event loop.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from relatent.core import filetypes
from relatent.core.damage import damage
from relatent_service.errors import InvalidField
from relatent_service.images.colour import to_grey, to_rgb

Pixels = NDArray[np.uint8]

# The limit is ours, checked below for every image; Pillow's own would only warn.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = False
# What it has to say of broken metadata is the caller's affair: anybody could fill our log with it, and Python
# remembers every text that it has warned with.
warnings.filterwarnings("ignore", module=r"PIL\.")


class Format(Enum):
    """How the bytes of an image are laid out."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"
    RAW_RGB = "RAW_RGB"


_OPTIONS: Mapping[Format, Mapping[str, Any]] = {
    Format.PNG: {"compress_level": 1, "compress_type": zlib.Z_RLE},  # a third less time than level 4 takes
    Format.JPEG: {"quality": 95, "subsampling": 0},
    Format.WEBP: {"lossless": True, "quality": 50},  # here quality means effort
}
_TOO_LARGE = "IMAGE_TOO_LARGE"
_UNREADABLE = "IMAGE_UNREADABLE"


@dataclass(frozen=True)
class ImageLimits:
    """What is accepted of an image: bytes as it travels, and pixels."""

    max_bytes: int
    max_pixels: int


@dataclass(frozen=True)
class Encoded:
    """An image as it came with a request.

    Attributes:
        data: its bytes.
        format: what the caller says they are; None to tell from the content.
        width, height: in pixels; counts for RAW_RGB only.
        field: where it is in the request.
    """

    data: bytes
    format: Format | None
    width: int
    height: int
    field: str


def read_rgb(image: Encoded, limits: ImageLimits) -> Image.Image:
    """Decode an image: upright, opaque (over white), in sRGB.

    Returns:
        An image of mode RGB, of its own size.

    Raises:
        InvalidField: it is too large, not of a format taken, not what it claims to be, or broken.
    """
    return _read(image, limits, grey=False)


def read_grey(image: Encoded, limits: ImageLimits) -> Image.Image:
    """Decode a mask: as `read_rgb`, but of mode L."""
    return _read(image, limits, grey=True)


def write(pixels: Pixels, layout: Format) -> bytes:
    """Lay an image uint8 [H, W, 3] out as bytes: PNG and WebP lossless, JPEG at quality 95."""
    if layout is Format.RAW_RGB:
        return pixels.tobytes()
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, layout.value, **_OPTIONS[layout])
    return buffer.getvalue()


def _read(image: Encoded, limits: ImageLimits, *, grey: bool) -> Image.Image:
    if not image.data:
        raise InvalidField(f"{image.field}.data", "expected an image, got no bytes", reason="IMAGE_MISSING")
    if len(image.data) > limits.max_bytes:
        raise InvalidField(
            f"{image.field}.data",
            f"expected at most {limits.max_bytes} bytes, got {len(image.data)}",
            reason=_TOO_LARGE,
        )
    opened = _read_raw if image.format is Format.RAW_RGB else _open
    decoded = to_grey if grey else to_rgb
    try:
        # Handed over, not kept: so its first form can be let go of once there is the next.
        return decoded(opened(image, limits))
    except (InvalidField, MemoryError):
        raise
    except Exception as error:  # the decoders raise nearly anything on broken bytes
        raise _broken(image, error) from error


def _read_raw(image: Encoded, limits: ImageLimits) -> Image.Image:
    for name, side in (("width", image.width), ("height", image.height)):
        if side < 1:
            raise InvalidField(f"{image.field}.{name}", "expected at least 1 for RAW_RGB, got 0")
    _check_pixels(image, image.width, image.height, limits)
    expected = image.width * image.height * 3
    if len(image.data) != expected:
        raise InvalidField(
            f"{image.field}.data",
            f"expected {expected} bytes, {image.width} x {image.height} x 3, got {len(image.data)}",
        )
    pixels = np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 3)
    return Image.fromarray(pixels)


def _open(image: Encoded, limits: ImageLimits) -> Image.Image:
    """Read the header, with the one decoder that the first bytes call for."""
    found = _recognise(image.data)
    if found is None:
        raise _foreign(image)
    if image.format is not None and image.format is not found:
        raise InvalidField(
            f"{image.field}.format",
            f"expected {found.value}, by the image's content, got {image.format.value}",
        )
    try:
        if found is Format.WEBP:
            # Pillow makes room for the whole canvas before it tells its size.
            _check_pixels(image, *_webp_size(image.data), limits)
        picture = Image.open(io.BytesIO(image.data), formats=[found.value])
    except (InvalidField, MemoryError):
        raise
    except Exception as error:  # the decoders raise nearly anything on broken bytes
        raise _broken(image, error) from error
    _check_pixels(image, *picture.size, limits)
    return picture


def _recognise(data: bytes) -> Format | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if data.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Format.WEBP
    return None


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height off a WebP's first chunk."""
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise ValueError(f"no picture, but a chunk {kind!r}")
    return width, height


def _check_pixels(image: Encoded, width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.max_pixels:
        raise InvalidField(
            f"{image.field}.data",
            f"expected at most {limits.max_pixels} pixels, got {width} x {height} = {width * height}",
            reason=_TOO_LARGE,
        )


def _foreign(image: Encoded) -> InvalidField:
    known = filetypes.recognise(image.data[: filetypes.HEAD])
    if known is not None:
        return _unreadable(image, known.refusal(filetypes.SERVICE_TAKES))
    begin = image.data[:8].hex(" ")
    return _unreadable(image, f"expected {filetypes.SERVICE_TAKES}; its first bytes are {begin}")


def _broken(image: Encoded, error: Exception) -> InvalidField:
    known = filetypes.recognise(image.data[: filetypes.HEAD])
    name = known.short if known else "image"
    expected = f"expected {filetypes.SERVICE_TAKES}"
    return _unreadable(image, f"{expected}; it is a broken {name}: {damage(image.data, error)}")


def _unreadable(image: Encoded, message: str) -> InvalidField:
    return InvalidField(f"{image.field}.data", message, reason=_UNREADABLE)
