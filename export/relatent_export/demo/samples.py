"""Random samples of a generator."""

from __future__ import annotations

from pathlib import Path

import torch

from relatent_export.analysis.refining import Bytes
from relatent_export.demo.pictures import save_sheet
from relatent_export.nets.pixels import to_bytes
from relatent_export.nets.stylegan2 import Generator

_CHUNK = 100
_ROW = 8


@torch.no_grad()
def sample_images(generator: Generator, count: int, seed: int) -> Bytes:
    """Random images without truncation, uint8 [count, R, R, 3]."""
    z = torch.randn(count, generator.config.latent_width, generator=torch.Generator().manual_seed(seed))
    images: Bytes = torch.cat([to_bytes(generator(chunk)) for chunk in torch.split(z, _CHUNK)]).numpy()
    return images


def save_samples(generator: Generator, count: int, seed: int, path: Path) -> None:
    """Write a contact sheet of random images."""
    images = sample_images(generator, count, seed)
    save_sheet([list(images[at : at + _ROW]) for at in range(0, count, _ROW)], path)
