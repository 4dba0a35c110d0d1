"""Contact sheets of the demo pack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from relatent_export.analysis.refining import Bytes
from relatent_export.writing import whole_file

_GAP = 2


def save_sheet(rows: list[list[Bytes]], path: Path, zoom: int = 2) -> None:
    """Write images [H, W, 3], all of one size, as a table with thin white gaps."""
    height, width, _ = rows[0][0].shape
    columns = max(len(row) for row in rows)
    sheet = np.full(
        (len(rows) * (height * zoom + _GAP) - _GAP, columns * (width * zoom + _GAP) - _GAP, 3), 255, np.uint8
    )
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            large = Image.fromarray(image).resize((width * zoom, height * zoom), Image.Resampling.BICUBIC)
            top, left = i * (height * zoom + _GAP), j * (width * zoom + _GAP)
            sheet[top : top + height * zoom, left : left + width * zoom] = np.asarray(large)
    save_picture(sheet, path)


def save_picture(image: Bytes, path: Path) -> None:
    """Write an image, uint8 [H, W, 3], as PNG."""
    with whole_file(path) as partial:
        Image.fromarray(image).save(partial, "png", optimize=True)
