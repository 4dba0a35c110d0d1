"""Packs: what is known of a model family beyond its graphs.

A pack is a folder:

    pack.toml               the manifest, with the SHA-256 of every other file
    latents.safetensors     `mean`, float32 [L, D]
    directions.safetensors  one float32 array a direction, [L, D], or [1, Z] for those of Z; each row of
                            unit norm or zero (`relatent.core.directions`)

Both halves share this format; neither torch nor a server is needed to read it. The exporter writes
it (`relatent_export.packs.pack`).
"""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from relatent.core.directions import Direction, DirectionSpace, direction_space, read_direction

FORMAT = 1
NAME = r"[a-z][a-z0-9_]*"
"""What packs may be called."""
MANIFEST = "pack.toml"
LATENTS = "latents.safetensors"
DIRECTIONS = "directions.safetensors"

METRICS = ("mse", "psnr", "ssim")
"""What every pack's assessment measures."""
MORE_METRICS = ("perceptual", "identity")
"""What an assessment measures where the pack has a network for it."""

Array = NDArray[np.float32]


class PackError(ValueError):
    """A pack that cannot be used; the message names the file and what was expected of it."""


class InitialState(StrEnum):
    """What a tensor of the refinement's state holds before the first step."""

    CODE = "code"
    """The code that refinement starts from."""
    ZEROS = "zeros"
    INFINITY = "infinity"


@dataclass(frozen=True)
class StateTensor:
    """A tensor of the refinement's state: graph input `state.NAME`, graph output `next.NAME`.

    Attributes:
        shape: without the batch axis.
        initial: what it holds before the first step.
    """

    shape: tuple[int, ...]
    initial: InitialState


@dataclass(frozen=True)
class Refinement:
    """How the pack's refinement graph is driven.

    Attributes:
        max_steps: most steps of one call of the graph (K_max).
        default_steps: steps of an inversion unless the caller says otherwise.
        learning_rate: Adam's step size by start, `encoder` and `mean`, in the coordinates that the
            graph steps in; a given latent starts as the encoder does.
        weights: default weight of each term of the objective, graph inputs `weight.NAME`.
        state: the state's tensors by name; `best_w` and `best_loss` are always among them.
    """

    max_steps: int
    default_steps: int
    learning_rate: Mapping[str, float]
    weights: Mapping[str, float]
    state: Mapping[str, StateTensor]


@dataclass(frozen=True)
class Pack:
    """A model family, as read from its folder.

    Attributes:
        name: lower-case letters, digits and underscores; graphs are called NAME_encode and so on.
        revision: SHA-256, in hex, over the mapping and synthesis weights alone.
        resolution: side of the images in pixels.
        layers, width: shape of a W+ code.
        z_width: width of the mapping network's input.
        compare_side: side, in pixels, of the images that refinement compares: R or a fraction of it.
        encoder: whether there is a graph that encodes images; without one, inversions start from the
            mean latent.
        metrics: what the assessment graph measures, `METRICS` or more.
        mean: the mean latent, float32 [layers, width].
        attributes: names of the attribute network's outputs, in order.
    """

    name: str
    revision: str
    description: str
    licence: str
    provenance: str
    resolution: int
    layers: int
    width: int
    z_width: int
    compare_side: int
    encoder: bool
    metrics: tuple[str, ...]
    attributes: tuple[str, ...]
    refinement: Refinement
    mean: Array
    directions: Mapping[str, Direction] = field(default_factory=dict)


def read_pack(folder: Path) -> Pack:
    """Read a pack and check it against its manifest.

    Raises:
        PackError: a file is missing, unreadable, altered, or not of the shape the manifest promises.
    """
    manifest = _read_manifest(folder / MANIFEST)
    try:
        _check_name(manifest["name"])
        _check_files(folder, dict(manifest["files"]))
        latent, refine = manifest["latent"], manifest["refine"]
        shape = (int(latent["layers"]), int(latent["width"]))
        mean = _tensors(folder / LATENTS)["mean"]
        _check_shape(folder / LATENTS, "mean", mean, shape)
        return Pack(
            name=manifest["name"],
            revision=manifest["revision"],
            description=manifest["description"],
            licence=manifest["licence"],
            provenance=manifest["provenance"],
            resolution=int(manifest["resolution"]),
            layers=shape[0],
            width=shape[1],
            z_width=int(latent["z_width"]),
            compare_side=int(manifest.get("compare_side", manifest["resolution"])),
            encoder=bool(manifest.get("encoder", True)),
            metrics=_metrics(manifest),
            attributes=tuple(manifest["attributes"]),
            refinement=_refinement(refine),
            mean=mean,
            directions=_directions(folder, manifest.get("directions", []), shape, int(latent["z_width"])),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, PackError):
            raise
        raise PackError(f"{folder / MANIFEST}: {type(error).__name__}: {error}") from error


def read_packs(root: Path) -> dict[str, Pack]:
    """Read every pack in a folder of packs, by name; hidden folders are none, such as those being written.

    Raises:
        PackError: a pack cannot be used, two share a name, or there is none.
    """
    packs: dict[str, Pack] = {}
    for manifest in sorted(root.glob(f"*/{MANIFEST}")):
        if manifest.parent.name.startswith("."):
            continue
        pack = read_pack(manifest.parent)
        if pack.name in packs:
            raise PackError(f"{manifest}: a second pack called {pack.name!r}")
        packs[pack.name] = pack
    if not packs:
        raise PackError(f"{root}: expected at least one folder with a {MANIFEST} that may be read")
    return packs


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file that cannot be read."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise PackError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        with _reading(path):
            manifest = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PackError(f"{path}: not TOML: {error}") from error
    if manifest.get("format") != FORMAT:
        raise PackError(f"{path}: format: expected {FORMAT}, got {manifest.get('format')!r}")
    return manifest


def _check_name(name: Any) -> None:
    """Graphs' folders are called after it, so it must not lead out of theirs."""
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise ValueError(f"name: expected lower-case letters, digits and underscores, got {name!r}")


def _check_files(folder: Path, digests: Mapping[str, str]) -> None:
    for name, expected in digests.items():
        if Path(name).name != name:
            raise ValueError(f"files: expected names of files in the pack's folder, got {name!r}")
        path = folder / name
        if name not in (LATENTS, DIRECTIONS) and not path.exists():
            continue  # weights, which whoever serves may leave behind
        with _reading(path):
            if file_digest(path) != expected:
                raise PackError(f"{path}: SHA-256 differs from the manifest's")


def _tensors(path: Path) -> dict[str, Array]:
    with _reading(path):
        return load_file(path)


def _check_shape(path: Path, name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype != np.float32:
        got = f"{array.dtype} {list(array.shape)}"
        raise PackError(f"{path}: {name}: expected float32 {list(shape)}, got {got}")
    if not np.isfinite(array).all():
        raise PackError(f"{path}: {name}: expected finite numbers, got others among them")


def _finite(what: str, value: Any) -> float:
    """A number of the manifest; TOML knows `nan` and `inf` too."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{what}: expected a finite number, got {number:g}")
    return number


def _metrics(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    names = tuple(manifest.get("metrics", (*METRICS, "perceptual")))
    _require("metrics", METRICS, names)
    if unknown := [name for name in names if name not in (*METRICS, *MORE_METRICS)]:
        raise ValueError(f"metrics: expected some of {', '.join(MORE_METRICS)} besides, got {unknown[0]!r}")
    return names


def _refinement(table: Mapping[str, Any]) -> Refinement:
    _require("refine.learning_rate", ("encoder", "mean"), table["learning_rate"])
    _require("refine.state", ("best_w", "best_loss"), table["state"])
    return Refinement(
        max_steps=int(table["max_steps"]),
        default_steps=int(table["default_steps"]),
        learning_rate={
            start: _finite(f"refine.learning_rate.{start}", rate)
            for start, rate in table["learning_rate"].items()
        },
        weights={name: _finite(f"refine.weights.{name}", value) for name, value in table["weights"].items()},
        state={
            name: StateTensor(tuple(entry["shape"]), InitialState(entry["initial"]))
            for name, entry in table["state"].items()
        },
    )


def _require(what: str, names: tuple[str, ...], table: Collection[str]) -> None:
    missing = [name for name in names if name not in table]
    if missing:
        raise ValueError(f"{what}: expected an entry {' and one '.join(missing)}")


def _directions(
    folder: Path, entries: list[dict[str, Any]], shape: tuple[int, int], z_width: int
) -> dict[str, Direction]:
    vectors = _tensors(folder / DIRECTIONS) if entries else {}
    directions = {}
    for entry in entries:
        name = entry["name"]
        expected = (1, z_width) if direction_space(entry) is DirectionSpace.Z else shape
        _check_shape(folder / DIRECTIONS, name, vectors[name], expected)
        for key in ("bias", "calibration", "min_strength", "max_strength"):
            _finite(f"direction {name!r}: {key}", entry[key])
        directions[name] = read_direction(entry, vectors[name])
    return directions
