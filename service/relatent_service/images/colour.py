"""Any picture as plain sRGB: orientation, palettes, transparency, deep and inverted channels, profiles."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms, ImageOps

WHITE = (255, 255, 255)
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def to_rgb(picture: Image.Image) -> Image.Image:
    """Decode a picture as opaque sRGB, upright; what is transparent shows white.

    Raises:
        Exception: whatever the decoder raises on broken bytes.
    """
    _turn_upright(picture)
    profile = picture.info.get("icc_profile")
    alpha = None
    if picture.mode.startswith("I"):
        alpha = _opaque(picture)
        picture = _eight_bits(picture)
    elif picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
        picture = picture.convert("RGB")
    if picture.mode in ("P", "1"):
        picture = picture.convert("RGB")
    if profile:
        picture = _to_srgb(picture, profile)
    if picture.mode != "RGB":  # else it would be copied
        picture = picture.convert("RGB")
    if alpha is not None:
        paper = Image.new("RGB", picture.size, WHITE)
        paper.paste(picture, mask=alpha)
        return paper
    return picture


def to_grey(picture: Image.Image) -> Image.Image:
    """Decode a picture as mode L, upright; what is transparent counts as white."""
    return to_rgb(picture).convert("L")


def _turn_upright(picture: Image.Image) -> None:
    """Decode a picture and turn it as its EXIF orientation says; broken EXIF data says nothing."""
    picture.load()
    try:
        ImageOps.exif_transpose(picture, in_place=True)  # else it would be copied, turned or not
    except MemoryError:
        raise
    except Exception:  # the parser raises nearly anything on broken bytes; the picture is fine without
        return


def _opaque(picture: Image.Image) -> Image.Image | None:
    """Where 16-bit grey is not the one value that counts as transparent, mode L; None for everywhere."""
    clear = picture.info.get("transparency")
    if clear is None:
        return None
    return Image.fromarray(np.where(np.asarray(picture) == clear, 0, 255).astype(np.uint8))


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Round 16-bit grey to eight bits; Pillow itself would clip it."""
    deep = np.asarray(picture).astype(np.uint32)
    deep += 128
    deep //= 257
    return Image.fromarray(deep.astype(np.uint8))


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert from an embedded profile; one that is broken, or for other channels, is ignored."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(picture, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture
    return converted or picture
