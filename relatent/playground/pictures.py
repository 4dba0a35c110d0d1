"""Pictures at a size that one can see."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from relatent.client.images import Picture

SIDE = 512
"""Pixels that pictures on the page have at least."""


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


def square(file: str | Path, side: int) -> Image.Image:
    """The middle of a picture's file as the service takes it: a square of the pack's size, RGB.

    Raises:
        OSError: Pillow does not read it.
    """
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    return image.crop((left, top, left + edge, top + edge)).resize((side, side), Image.Resampling.LANCZOS)
