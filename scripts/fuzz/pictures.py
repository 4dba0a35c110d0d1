"""Pictures of every format that there is, and spoilt ones, which their decoders may nearly take for whole."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from relatent.v1 import types_pb2
from scripts.fuzz.mutations import mutate_bytes

_PNG = b"\x89PNG\r\n\x1a\n"
_SIZES = ((8, 8), (1, 1), (13, 5), (40, 40), (2, 300))
_SIDES = (0, 1, 7, 8, 9, 255, 4096, 10_000, 65_535, 2**31 - 1, 2**32 - 1)


@cache
def whole_files() -> tuple[bytes, ...]:
    """Files of all formats and modes that the service takes, and of some that it does not."""
    return tuple(_files())


def odd_picture(rng: Random) -> types_pb2.Image:
    """A picture, mostly spoilt: a file, or raw pixels."""
    if rng.randrange(5) == 0:
        return _raw(rng)
    data = rng.choice(whole_files())
    kind = rng.randrange(8)
    if kind >= 4 and data.startswith(_PNG):
        data = _spoilt_png(data, rng)
    elif kind:
        data = mutate_bytes(data, rng)
    claimed: Any = rng.choice((0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5))
    return types_pb2.Image(data=data, format=claimed)


def _raw(rng: Random) -> types_pb2.Image:
    width, height = rng.choice(((8, 8), (1, 1), (16, 9), (64, 64)))
    data = bytes(rng.randrange(256) for _ in range(3)) * (width * height)
    if rng.randrange(2):
        data = mutate_bytes(data, rng)
    if rng.randrange(3) == 0:
        width = rng.choice(_SIDES)
    return types_pb2.Image(data=data, format=types_pb2.IMAGE_FORMAT_RAW_RGB, width=width, height=height)


def _files() -> Iterator[bytes]:
    noise = np.random.default_rng(0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    turned = Image.Exif()
    turned[0x0112] = 6
    for width, height in _SIZES:
        colours = Image.fromarray(noise.integers(0, 256, (height, width, 3), np.uint8))
        frames = [colours.rotate(180), colours]
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
            deep = colours.convert("L").convert("I;16") if mode == "I;16" else colours.convert(mode)
            yield _saved(deep, "PNG")
        yield _saved(colours.convert("P"), "PNG", transparency=3)
        yield _saved(colours, "PNG", icc_profile=profile, exif=turned, dpi=(72, 72))
        yield _saved(colours, "PNG", save_all=True, append_images=frames)
        for mode in ("L", "RGB", "CMYK"):
            yield _saved(colours.convert(mode), "JPEG", quality=60)
        yield _saved(colours, "JPEG", progressive=True, icc_profile=profile, exif=turned)
        yield _saved(colours, "WEBP", lossless=True)
        yield _saved(colours, "WEBP", quality=40, icc_profile=profile, exif=turned)
        yield _saved(colours.convert("RGBA"), "WEBP", quality=40)
        yield _saved(colours, "WEBP", save_all=True, append_images=frames)
    for layout in ("GIF", "BMP", "TIFF", "PPM"):
        yield _saved(colours, layout)
    yield from (b"", b"<svg/>", b"%PDF-1.7\n", b"\0\0\0\x1cftypavif", b"\0\0\0\x1cftypheic")


def _saved(picture: Image.Image, layout: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, layout, **options)
    return buffer.getvalue()


def _spoilt_png(data: bytes, rng: Random) -> bytes:
    """A PNG with other chunks, whose check sums are right, so that they are looked into."""
    chunks = list(_chunks(data))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(chunks))
        kind, body = chunks[at]
        action = rng.choice(("spoil", "spoil", "size", "drop", "twice", "text", "pixels"))
        if action == "spoil":
            chunks[at] = kind, mutate_bytes(body, rng)
        elif action == "size" and chunks[0][0] == b"IHDR":
            chunks[0] = b"IHDR", struct.pack(">II", rng.choice(_SIDES), rng.choice(_SIDES)) + chunks[0][1][8:]
        elif action == "drop" and len(chunks) > 1:
            del chunks[at]
        elif action == "twice":
            chunks.insert(rng.randrange(len(chunks) + 1), (kind, body))
        elif action == "text":
            chunks.insert(
                at, (rng.choice((b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"tRNS")), mutate_bytes(body, rng))
            )
        elif action == "pixels":
            chunks = [
                (k, zlib.compress(mutate_bytes(bytes(200), rng)) if k == b"IDAT" else b) for k, b in chunks
            ]
    return _PNG + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length
