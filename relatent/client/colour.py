"""PIL images of any mode as PNG can hold them: deep and floating-point grey, printing colours, odd alpha."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from relatent.client.errors import InputError

_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
"""Pillow's modes that PNG holds without loss; the service converts them."""

_STRAIGHT_ALPHA = {"La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
_WHITE = 65535


def for_png(image: Image.Image, what: str) -> Image.Image:
    """Convert an image to a mode that PNG holds, with as much of it kept as that mode can.

    Integers count from 0 to 65,535 and floating-point numbers from 0 to 1, black to white. A colour
    profile stays with the image; those of CMYK and LAB are applied.

    Raises:
        InputError: Pillow cannot convert it.
    """
    if image.mode in _PNG_MODES:
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return _deep_grey(image)
    profile = image.info.get("icc_profile")
    if image.mode in ("CMYK", "LAB"):
        return _to_srgb(image, profile)
    try:
        converted = image.convert(_STRAIGHT_ALPHA.get(image.mode, "RGB"))
    except ValueError as error:
        raise InputError(f"{what}: mode {image.mode}: {error}") from error
    return _with_profile(converted, profile)


def _deep_grey(image: Image.Image) -> Image.Image:
    """16-bit grey; Pillow itself would clip everything above 255."""
    values = np.asarray(image)
    if image.mode == "F":
        values = np.clip(np.nan_to_num(values), 0, 1) * _WHITE
    grey = Image.fromarray(np.clip(values.round(), 0, _WHITE).astype("<u2"))
    return _with_profile(grey, image.info.get("icc_profile"))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Apply a profile that RGB could not keep; one that is broken, or for other channels, is ignored."""
    converted = None
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return _with_profile(converted or image.convert("RGB"), None)


def _with_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    image.info.pop("icc_profile", None)
    if profile:
        image.info["icc_profile"] = profile
    return image
