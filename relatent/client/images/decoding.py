"""Pictures that the service does not take, decoded here so that it need not: AVIF, HEIC, TIFF, BMP, GIF.

One decoder is tried, chosen by the first bytes; a picture's size is read off its header and held against a
limit before a pixel is decoded. Of several pictures in a file the first counts, or the one that a HEIC file
calls its primary one, and a line in the log says so.
"""

from __future__ import annotations

import importlib
import io
import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias

from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Image, ImageFile, ImageOps, TiffImagePlugin

from relatent.client.errors import InputError
from relatent.core.damage import damage
from relatent.core.filetypes import AVIF, BMP, CLIENT_TAKES, GIF, HEIC, RAW, TIFF, FileType

MOST_PIXELS = 50_000_000
"""What is decoded at most, as a service has it unless told otherwise."""

_Opener: TypeAlias = Callable[[io.BytesIO], ImageFile.ImageFile]

_LOG = logging.getLogger(__name__)
_NEW_SUBFILE_TYPE, _DNG_VERSION = 254, 50706


def decode(data: bytes, kind: FileType, where: str) -> Image.Image:
    """Decode a picture of a kind that is to be converted, upright.

    Args:
        data: the file's bytes.
        kind: what they are.
        where: what to call it in errors.

    Raises:
        InputError: it is too large or broken, or what decodes it is not installed.
    """
    opener = _OPENERS[kind](where)
    try:
        # The plugin itself: `Image.open` would warn of sizes before they can be asked for.
        picture = opener(io.BytesIO(data))
        _check_size(picture, where)
        _check_no_raw(picture, where)
        picture.load()
        _check_size(picture, where)  # some formats correct themselves while decoding
    except (InputError, MemoryError):
        raise
    except Exception as error:  # the decoders raise nearly anything on broken bytes
        raise InputError(
            f"{where}: {kind.name} that is broken or of an unusual kind: {damage(data, error)}"
        ) from error
    if _holds_several(opener, data):
        _LOG.warning("%s: %s that holds several; the first or primary one is taken", where, kind.name)
    return upright(picture)


def upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF orientation says; broken EXIF data says nothing.

    Raises:
        Exception: whatever a decoder raises, where the picture is yet to be decoded.
    """
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # the parser raises nearly anything on broken bytes; the picture is fine without
        return image


def _check_size(picture: Image.Image, where: str) -> None:
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{where}: expected at most {MOST_PIXELS:,} pixels, got {width} x {height} = {width * height:,}"
        )


def _check_no_raw(picture: ImageFile.ImageFile, where: str) -> None:
    """Refuse a camera's TIFF, in which a thumbnail comes first."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return
    tags = picture.tag_v2
    if _DNG_VERSION in tags or int(tags.get(_NEW_SUBFILE_TYPE, 0)) & 1:
        raise InputError(f"{where}: {RAW.refusal(CLIENT_TAKES)}")


def _holds_several(opener: _Opener, data: bytes) -> bool:
    try:
        return bool(getattr(opener(io.BytesIO(data)), "is_animated", False))
    except Exception:  # the picture that counts is decoded; the others may be broken as they like
        return False


def _avif(where: str) -> _Opener:
    if not AvifImagePlugin.SUPPORTED:
        raise InputError(
            f"{where}: {AVIF.name}, and this Pillow was built without AVIF: install its wheel, "
            "or convert it to PNG"
        )
    return AvifImagePlugin.AvifImageFile


def _heic(where: str) -> _Opener:
    try:
        opener: _Opener = importlib.import_module("pillow_heif").HeifImageFile
    except ImportError:
        raise InputError(
            f"{where}: {HEIC.name}, which needs a decoder: pip install 'relatent[heif]', or convert it to PNG"
        ) from None
    return opener


_OPENERS: Mapping[FileType, Callable[[str], _Opener]] = {
    AVIF: _avif,
    HEIC: _heic,
    TIFF: lambda where: TiffImagePlugin.TiffImageFile,
    BMP: lambda where: BmpImagePlugin.BmpImageFile,
    GIF: lambda where: GifImagePlugin.GifImageFile,
}
