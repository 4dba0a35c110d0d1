"""Samples and what they are labelled with: by a pack's attribute network, or by hand in a CSV."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from relatent.core.attributes import Attribute
from relatent.core.noise import noise
from relatent.core.spaces import Space
from relatent_export.directions.controls import Read
from relatent_export.directions.points import Floats, codes_of, draw_points
from relatent_export.nets.networks import AnyGenerator, Networks
from relatent_export.progress import progress
from relatent_export.writing import whole_file

_CHUNK = 64


@dataclass(frozen=True)
class Labelled:
    """Samples, and what they are labelled with.

    Attributes:
        points: of the space: [N, 1, Z] of Z, else codes [N, L, D].
        names: of the labels, K.
        values: [N, K], the higher the more; NaN where there is none.
    """

    points: Floats
    names: tuple[str, ...]
    values: Floats


def read_by_network(
    networks: Networks,
    read: Read,
    attributes: tuple[Attribute, ...],
    space: Space,
    samples: int,
    seed: int,
    work: Path | None = None,
) -> Labelled:
    """Draw samples and read the pack's attributes off their images.

    Args:
        networks: the pack's.
        read: reads attributes of codes.
        attributes: what it reads.
        space: of the points; codes of W+ cross over at a layer of their own each.
        samples: how many.
        seed: of the samples.
        work: a folder that keeps what was read, for a run that goes on where this one stopped.
    """
    points = draw_points(networks.generator, space, samples, seed)
    codes = codes_of(networks.generator, space)
    chunks = np.array_split(points, max(1, -(-len(points) // _CHUNK)))
    kept_as = _read_with(networks) if work is not None else b""
    found = []
    for chunk in progress(chunks, "labelling", unit="batch", leave=False):
        found.append(_kept(work, kept_as, chunk, partial(_read_points, read, codes, chunk)))
    names = tuple(attribute.name for attribute in attributes)
    # More of an attribute is a lower reading where its scale is negative.
    signs = np.array([np.sign(attribute.scale) for attribute in attributes], np.float32)
    return Labelled(points, names, np.concatenate(found) * signs)


def read_by_hand(path: Path, generator: AnyGenerator, space: Space, truncation: float) -> Labelled:
    """Read labels of the pictures that `relatent sample` makes of seeds.

    Args:
        path: a CSV; the column `seed`, and others by their labels' names, with numbers or nothing.
        generator: what made the pictures.
        space: of the points.
        truncation: of the samples.

    Raises:
        ValueError: it is no such file; names it with the line and the column.
        OSError: it cannot be read; names it.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            header = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a table with commas between, in UTF-8: {error}") from error
    names = [cell.strip() for cell in header]
    if names.count("seed") != 1 or len(names) < 2 or len(set(names)) < len(names) or not all(names):
        raise ValueError(
            f"{path}: line 1: expected the columns seed and the labels' names, each once, got {header}"
        )
    for column, name in enumerate(names, start=1):
        if not re.fullmatch("[a-z0-9_]+", name):
            raise ValueError(
                f"{path}: line 1: column {column}: expected lower-case letters, digits and underscores, "
                f"got {name!r}"
            )
    seeds, values = [], []
    for line, row in rows:
        if len(row) != len(names):
            raise ValueError(f"{path}: line {line}: expected {len(names)} columns, got {len(row)}")
        cells = dict(zip(names, row, strict=True))
        seeds.append(_seed(cells.pop("seed"), path, line))
        values.append([_label(cell, path, line, name) for name, cell in cells.items()])
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise ValueError(f"{path}: seed {twice}: expected it once, got it {seeds.count(twice)} times")
    if not seeds:
        raise ValueError(f"{path}: expected labels, got none")
    z = np.stack([noise(seed, generator.config.z_width) for seed in seeds])[:, None]
    labels = tuple(name for name in names if name != "seed")
    if space is Space.Z:
        return Labelled(z, labels, np.array(values, np.float32))
    with torch.no_grad():
        codes = generator.codes(torch.from_numpy(z[:, 0]), truncation).numpy()
    return Labelled(codes, labels, np.array(values, np.float32))


def _read_points(read: Read, codes: Callable[[Floats], Floats], points: Floats) -> Floats:
    return read(codes(points))


def _read_with(networks: Networks) -> bytes:
    """What tells readings by these networks from readings by others."""
    digest = hashlib.sha256(networks.revision.encode())
    digest.update(networks.attribute_graph or b"")
    for tensor in networks.attributes.state_dict().values() if networks.attributes is not None else ():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.digest()


def _kept(work: Path | None, kept_as: bytes, points: Floats, read: Callable[[], Floats]) -> Floats:
    """What points read: from the folder, where it is kept, or else read and kept there."""
    if work is None:
        return read()
    digest = hashlib.sha256(kept_as + np.ascontiguousarray(points).tobytes()).hexdigest()
    path = work / f"{digest}.npy"
    if path.is_file():
        kept: Floats = np.load(path)
        return kept
    found = read()
    work.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial, partial.open("wb") as file:
        np.save(file, found)
    return found


def _seed(cell: str, path: Path, line: int) -> int:
    if not cell.strip().isdecimal() or int(cell) >= 2**64:
        raise ValueError(
            f"{path}: line {line}: seed: expected a whole number from 0 to 2**64 - 1, got {cell!r}"
        )
    return int(cell)


def _label(cell: str, path: Path, line: int, name: str) -> float:
    if not cell.strip():
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise ValueError(f"{path}: line {line}: {name}: expected a number, or nothing, got {cell!r}")
    return value
