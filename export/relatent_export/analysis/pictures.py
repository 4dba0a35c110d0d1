"""Reading pictures as the service does: upright, cropped to squares, at a pack's resolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL import UnidentifiedImageError as Unidentified

from relatent_export.analysis.refining import Bytes


def read_picture(path: Path, side: int) -> Bytes:
    """A picture as uint8 [R, R, 3].

    Raises:
        ValueError: it is none that can be read; names the file.
        OSError: there is no such file; names it.
    """
    try:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except Unidentified:
        raise ValueError(f"{path}: not an image that can be read") from None
    return np.array(ImageOps.fit(upright, (side, side), Image.Resampling.BOX))
