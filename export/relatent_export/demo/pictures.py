"""Random samples of a generator, and the demo pack's pictures: single ones and contact sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from relatent_export.analysis.refining import Bytes
from relatent_export.nets.pixels import to_bytes
from relatent_export.nets.stylegan2 import Generator
from relatent_export.writing import whole_file

_CHUNK = 100
_COLUMNS = 8
_GAP = 2


@torch.no_grad()
def sample_images(generator: Generator, count: int, seed: int) -> Bytes:
    """Random images without truncation, uint8 [count, R, R, 3]."""
    z = torch.randn(count, generator.config.latent_width, generator=torch.Generator().manual_seed(seed))
    images: Bytes = torch.cat([to_bytes(generator(chunk)) for chunk in torch.split(z, _CHUNK)]).numpy()
    return images


def save_samples(generator: Generator, count: int, seed: int, path: Path) -> None:
    """Write a contact sheet of random images."""
    images = sample_images(generator, count, seed)
    save_sheet([list(images[at : at + _COLUMNS]) for at in range(0, count, _COLUMNS)], path)


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
