"""Reading pictures as the service does: upright, cropped to squares, at a pack's resolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL import UnidentifiedImageError as Unidentified

from relatent_export.analysis.refining import Bytes

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def pictures_in(folder: Path) -> list[Path]:
    """A folder's pictures, as their names tell, in the order of the names.

    Raises:
        ValueError: there is none; names the folder.
        OSError: it is no folder that can be looked into; names it.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"{folder}: expected images that end in {', '.join(SUFFIXES)}, got none")
    return paths


def read_picture(path: Path, side: int) -> Bytes:
    """A picture as uint8 [R, R, 3].

    Raises:
        ValueError: it is none that can be read; names the file.
        OSError: there is no such file; names it.
    """
    try:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (Unidentified, Image.DecompressionBombError, SyntaxError):
        raise ValueError(f"{path}: not an image that can be read") from None
    except OSError as error:
        if error.filename is not None:
            raise
        raise ValueError(f"{path}: not an image that can be read: {error}") from None  # it breaks off
    return np.array(ImageOps.fit(upright, (side, side), Image.Resampling.BOX))
