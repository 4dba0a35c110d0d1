"""How an image-text pair wants its images: their size, and what their channels are normalised by."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

PREPARING = "preprocessor_config.json"

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's own, of red, green and blue."""


def read_preparing(path: Path) -> tuple[int | None, tuple[float, float, float], tuple[float, float, float]]:
    """Read a `preprocessor_config.json`.

    Returns:
        The side of images in pixels, None where it is not said, and mean and deviation of each channel, of
        pixels in [0, 1]: CLIP's own where there is no file.

    Raises:
        ValueError: it is not what it must be; names the file and the key.
        OSError: it cannot be read; names it.
    """
    if not path.is_file():
        return None, _MEAN, _STD
    try:
        said = dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected a table in JSON: {error}") from error
    size = said.get("crop_size", said.get("size"))
    if isinstance(size, dict):
        size = size.get("height", size.get("shortest_edge"))
    if size is not None and (not isinstance(size, int) or size < 1):
        raise ValueError(f"{path}: crop_size: expected a number of pixels, got {size!r}")
    mean = _channels(path, "image_mean", said.get("image_mean", _MEAN))
    std = _channels(path, "image_std", said.get("image_std", _STD))
    if min(std) <= 0:
        raise ValueError(f"{path}: image_std: expected numbers above 0, got {list(std)}")
    return size, mean, std


def _channels(path: Path, key: str, numbers: Any) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(number) for number in numbers)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {key}: expected three numbers, got {numbers!r}") from error
    if not all(map(math.isfinite, (red, green, blue))):
        raise ValueError(f"{path}: {key}: expected finite numbers, got {numbers!r}")
    return red, green, blue
