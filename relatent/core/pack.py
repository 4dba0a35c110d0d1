"""Packs: what is known of a model family beyond its graphs.

A pack is a folder:

    pack.toml               the manifest, with the SHA-256 of every other file; its methods of inverting are
                            described in `relatent.core.methods`, the first of them is the default
    latents.safetensors     `mean`, float32 [L, D]
    directions.safetensors  one float32 array a direction, [L, D], or [1, Z] for those of Z; each layer of
                            unit norm or zero (`relatent.core.directions`)

Both halves share this format; neither torch nor a server is needed to read it. The exporter writes
it (`relatent_export.packs.pack`). Format 1, which had one refinement and no methods, is read as a pack with
the one method `hybrid`; `relatent-export migrate` renews its manifest.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from relatent.core.directions import Direction, direction_space, read_direction
from relatent.core.graphs import Role, graph_name
from relatent.core.methods import NAME, Method, StartRule, finite, read_method
from relatent.core.spaces import Space

FORMAT = 2
EARLIER_FORMAT = 1
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


@dataclass(frozen=True)
class Pack:
    """A model family, as read from its folder.

    Attributes:
        name: lower-case letters, digits and underscores; graphs are called NAME_encode and so on.
        revision: SHA-256, in hex, over the mapping and synthesis weights alone.
        resolution: height and width of the images in pixels, R.
        layers, width: shape of a W+ code.
        z_width: width of the mapping network's input.
        compare_size: height and width, in pixels, at which refinement compares images: R or a fraction
            of it.
        encoder: whether there is a graph that encodes images; without one, inversions start from the
            mean latent.
        metrics: what the assessment graph measures, `METRICS` or more.
        attributes: names of the attribute network's outputs, in order.
        methods: ways of inverting by name, at least one; the first is the default.
        mean: the mean latent, float32 [layers, width].
        directions: by name.
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
    compare_size: int
    encoder: bool
    metrics: tuple[str, ...]
    attributes: tuple[str, ...]
    methods: Mapping[str, Method]
    mean: Array
    directions: Mapping[str, Direction] = field(default_factory=dict)

    @property
    def default_method(self) -> Method:
        """How to invert unless the caller says otherwise."""
        return next(iter(self.methods.values()))

    def graph(self, role: str) -> str:
        """What the pack's graph in a role is called."""
        return graph_name(self.name, role)

    @property
    def served(self) -> tuple[str, ...]:
        """The graphs that inverting, editing and sampling need, by name."""
        roles = [Role.MAP, Role.SYNTHESIZE, Role.ASSESS, *(method.graph for method in self.methods.values())]
        if self.encoder:
            roles.insert(0, Role.ENCODE)
        return tuple(map(self.graph, dict.fromkeys(roles)))


def read_pack(folder: Path) -> Pack:
    """Read a pack and check it against its manifest.

    Raises:
        PackError: a file is missing, unreadable, altered, or not of the shape the manifest promises.
    """
    manifest = read_manifest(folder / MANIFEST)
    try:
        _check_name(manifest["name"])
        _check_files(folder, dict(manifest["files"]))
        latent = manifest["latent"]
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
            compare_size=int(manifest.get("compare_side", manifest["resolution"])),
            encoder=bool(manifest.get("encoder", True)),
            metrics=_metrics(manifest),
            attributes=tuple(manifest["attributes"]),
            methods=_methods(manifest),
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


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest, one of an earlier format as it would be in today's.

    Raises:
        PackError: it cannot be read, or is of another format.
    """
    try:
        with _reading(path):
            manifest = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PackError(f"{path}: not TOML: {error}") from error
    match manifest.get("format"):
        case int(number) if number == FORMAT:
            return manifest
        case int(number) if number == EARLIER_FORMAT:
            return _renewed(path, manifest)
        case other:
            raise PackError(f"{path}: format: expected {EARLIER_FORMAT} or {FORMAT}, got {other!r}")


def _renewed(path: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of format 1 as one of format 2: its only refinement becomes the method `hybrid`."""
    try:
        refine, resolution = manifest["refine"], manifest["resolution"]
        rates = dict(refine["learning_rate"])
        if not manifest.get("encoder", True):
            rates.pop("encoder")
        hybrid = {
            "graph": "refine",
            "space": str(Space.W_PLUS),
            "max_steps": refine["max_steps"],
            "default_steps": refine["default_steps"],
            "rates": {**rates, "latent": refine["learning_rate"]["encoder"]},
            "terms": refine["weights"],
            "inputs": {"mask": {"dtype": "uint8", "shape": [resolution, resolution], "default": 255}},
            "state": refine["state"],
            "answer": {"w": "best_w"},
        }
    except (KeyError, TypeError) as error:
        raise PackError(f"{path}: {type(error).__name__}: {error}") from error
    rest = {key: value for key, value in manifest.items() if key != "refine"}
    return rest | {"format": FORMAT, "methods": {"hybrid": hybrid}}


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


def _metrics(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    names = tuple(manifest.get("metrics", (*METRICS, "perceptual")))
    if missing := [name for name in METRICS if name not in names]:
        raise ValueError(f"metrics: expected {' and '.join(missing)} among them")
    if unknown := [name for name in names if name not in (*METRICS, *MORE_METRICS)]:
        raise ValueError(f"metrics: expected some of {', '.join(MORE_METRICS)} besides, got {unknown[0]!r}")
    return names


def _methods(manifest: Mapping[str, Any]) -> dict[str, Method]:
    methods = {name: read_method(name, table) for name, table in manifest["methods"].items()}
    if not methods:
        raise ValueError("methods: expected at least one")
    if not manifest.get("encoder", True):
        for method in methods.values():
            if StartRule.ENCODER in method.rates:
                raise ValueError(f"methods.{method.name}.rates: starts from an encoder that the pack has not")
    return methods


def _directions(
    folder: Path, entries: list[dict[str, Any]], shape: tuple[int, int], z_width: int
) -> dict[str, Direction]:
    vectors = _tensors(folder / DIRECTIONS) if entries else {}
    directions = {}
    for entry in entries:
        name = entry["name"]
        expected = (1, z_width) if direction_space(entry) is Space.Z else shape
        _check_shape(folder / DIRECTIONS, name, vectors[name], expected)
        for key in ("bias", "calibration", "min_strength", "max_strength"):
            finite(f"direction {name!r}: {key}", entry[key])
        directions[name] = read_direction(entry, vectors[name])
    return directions
