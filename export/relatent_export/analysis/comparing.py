"""A generator's samples against a folder of real images, as attributes or a segmenter read both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from relatent.core.attributes import Attribute
from relatent.core.pack import Pack
from relatent_export.analysis.misses import LEAST_IMAGES, Misses, find_misses
from relatent_export.analysis.pictures import pictures_in, read_picture
from relatent_export.analysis.refining import Bytes, Floats
from relatent_export.analysis.segments import Segmenter
from relatent_export.attributes.graphs import IMAGE, READINGS, parse_graph
from relatent_export.attributes.trying import open_session, sample_images
from relatent_export.nets.networks import Networks
from relatent_export.nets.pixels import to_bytes, to_float
from relatent_export.progress import printable, progress

Doubles = NDArray[np.float64]

SAMPLES = 1_000
"""That a generator makes at least, unless told otherwise."""

_CHUNK = 16
_LISTED = 20
"""Broken files that an error names."""


@dataclass(frozen=True)
class Comparison:
    """What to compare.

    Attributes:
        images: a folder of real images.
        segmenter: tells classes in place of the pack's attributes.
        samples: how many the generator makes; as many as there are images, and at least 1,000, if left out.
        truncation: of the samples, above 0; 1 is none.
        seed: of the samples, and of what is drawn to tell chance.
    """

    images: Path
    segmenter: Path | None = None
    samples: int | None = None
    truncation: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples is not None and self.samples < LEAST_IMAGES:
            raise ValueError(f"--samples: expected {LEAST_IMAGES} or more, got {self.samples}")
        if not (math.isfinite(self.truncation) and self.truncation > 0):
            raise ValueError(f"--truncation: expected a number above 0, got {self.truncation:g}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"--seed: expected a whole number from 0 to 2**63 - 1, got {self.seed}")


@dataclass(frozen=True)
class ImageReading:
    """What reads images.

    Attributes:
        attributes: what it reads, with units.
        read: images uint8 [B, R, R, 3] to readings [B, A].
    """

    attributes: tuple[Attribute, ...]
    read: Callable[[Bytes], NDArray[Any]]

    def values(self, images: Bytes) -> Doubles:
        """What people see of what is read, [B, A]."""
        scale, offset = (
            np.array([getattr(each, key) for each in self.attributes]) for key in ("scale", "offset")
        )
        values: Doubles = offset + scale * self.read(images)
        return values


def compare(pack: Pack, networks: Networks, asked: Comparison, reading: ImageReading | None = None) -> Misses:
    """Find what a pack's generator misses.

    Args:
        pack: the pack.
        networks: its networks.
        asked: what to compare with.
        reading: what reads images, unless a segmenter does; the pack's own attributes if left out.

    Raises:
        ValueError: there is nothing to read with, the segmenter is of no use, there are too few images, or
            some cannot be read; names the option and the files.
        OSError: a file or the folder cannot be read; names it.
    """
    try:
        paths = pictures_in(asked.images)
    except ValueError as error:
        raise ValueError(f"--images: {error}") from error
    if len(paths) < LEAST_IMAGES:
        raise ValueError(
            f"--images: {asked.images}: expected {LEAST_IMAGES} images or more, got {len(paths)}"
        )
    if asked.segmenter is not None:
        reading = _segments(networks, asked.segmenter)
    reading = reading or attribute_reading(pack, networks)
    real = read_folder(paths, pack.resolution, reading.values)
    count = asked.samples or max(len(paths), SAMPLES)
    generated = np.concatenate(
        [reading.values(images) for images in sampled(networks, count, asked.truncation, asked.seed)]
    )
    attributes = reading.attributes
    if asked.segmenter is not None:
        # Classes that no image shows tell nothing.
        shown = [
            place for place in range(len(attributes)) if real[:, place].any() or generated[:, place].any()
        ]
        attributes = tuple(attributes[place] for place in shown)
        real, generated = real[:, shown], generated[:, shown]
    return find_misses([each.name for each in attributes], real, generated, asked.seed)


def attribute_reading(pack: Pack, networks: Networks) -> ImageReading:
    """A pack's own attributes.

    Raises:
        ValueError: it has none.
    """
    if networks.attribute_graph is not None:
        session = open_session(parse_graph(networks.attribute_graph))

        def read_graph(images: Bytes) -> Floats:
            readings: Floats = session.run([READINGS], {IMAGE: images})[0]
            return readings

        return ImageReading(pack.attributes, read_graph)
    network = networks.attributes
    if network is None:
        raise ValueError(
            f"pack {pack.name!r}: expected attributes, which relatent-export attributes gives a pack, or "
            "--segmenter"
        )

    @torch.no_grad()
    def read(images: Bytes) -> Floats:
        readings: Floats = network(to_float(torch.from_numpy(images))).numpy()
        return readings

    return ImageReading(pack.attributes, read)


def _segments(networks: Networks, file: Path) -> ImageReading:
    try:
        segmenter = Segmenter(file, sample_images(networks.generator))
    except ValueError as error:
        raise ValueError(f"--segmenter: {error}") from error
    return ImageReading(segmenter.classes, segmenter.read)


def read_folder(paths: Sequence[Path], side: int, read: Callable[[Bytes], Doubles]) -> Doubles:
    """What is read of pictures, [N, A].

    Raises:
        ValueError: some cannot be read; names them.
    """
    found, broken = [], []
    for at in progress(range(0, len(paths), _CHUNK), "reading images", unit="batch", leave=False):
        pictures = []
        for path in paths[at : at + _CHUNK]:
            try:
                pictures.append(read_picture(path, side))
            except ValueError as error:
                broken.append(printable(str(error)))
            except OSError as error:
                broken.append(printable(f"{path}: {error.strerror}"))
        if pictures and not broken:
            found.append(read(np.stack(pictures)))
    if broken:
        more = [f"and {len(broken) - _LISTED} more"] if len(broken) > _LISTED else []
        listed = "; ".join([*broken[:_LISTED], *more])
        raise ValueError(f"--images: {len(broken)} of {len(paths)} cannot be read: {listed}")
    return np.concatenate(found)


@torch.no_grad()
def sampled(networks: Networks, count: int, truncation: float, seed: int) -> Iterable[Bytes]:
    """A generator's samples, uint8 [B, R, R, 3] at a time."""
    generator = networks.generator
    z = torch.randn(count, generator.config.z_width, generator=torch.Generator().manual_seed(seed))
    for chunk in progress(torch.split(z, _CHUNK), "sampling", unit="batch", leave=False):
        images: Bytes = to_bytes(generator.synthesis(generator.codes(chunk, truncation))).numpy()
        yield images
