"""Packs: what is known of a model family beyond its graphs.

A pack is a folder:

    pack.toml               the manifest, with the SHA-256 of every other file (`relatent.core.manifest`)
    latents.safetensors     `mean`, float32 [L, D]
    controls.safetensors    `jacobian`, float32 [A, L, D], for exact edits (`relatent.core.controls`)
    text.safetensors        for edits by texts, as `tokenizer.json` is (`relatent.core.text`)
    directions.safetensors  one float32 array a direction, [L, D], [1, Z] for those of Z or [1, S] for those
                            of S; each layer of unit norm or zero (`relatent.core.directions`)

Both halves share this format; neither torch nor a server is needed to read it. The exporter writes
it (`relatent_export.packs.pack`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.attributes import Attribute, read_attribute
from relatent.core.controls import CONTROLS, JACOBIAN, Controls, read_controls
from relatent.core.directions import Direction
from relatent.core.domain import Domain, read_domain
from relatent.core.graphs import Role, graph_name, move_role
from relatent.core.manifest import MANIFEST, PackError, read_manifest, reading
from relatent.core.methods import NAME, Method, StartRule, read_method
from relatent.core.pack_tensors import check_shape, read_directions, read_tensors, read_texts, vector_shapes
from relatent.core.presets import Preset, PresetChoice, read_presets
from relatent.core.spaces import (
    CODE,
    PLAIN,
    STYLES,
    WITHOUT_CODES,
    CodePart,
    CodeParts,
    Space,
    read_code_parts,
)
from relatent.core.text import TEXT, TOKENIZER, TextModel

LATENTS = "latents.safetensors"
DIRECTIONS = "directions.safetensors"

METRICS = ("mse", "psnr", "ssim")
"""What every pack's assessment measures."""
MORE_METRICS = ("perceptual", "identity")
"""What an assessment measures where the pack has a network for it."""

Array = NDArray[np.float32]


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
        attributes: the attribute network's outputs, in order.
        methods: ways of inverting by name, at least one; the first is the default.
        mean: the mean latent, float32 [layers, width].
        directions: by name.
        spaces: what codes of each space are made of that its methods find codes in.
        presets: what each stands for; empty where the pack has none.
        domain: how far genuine images are from what the generator makes; None where it was not measured.
        controls: how attributes answer to codes; None where it was not measured.
        text: what it knows of texts; None where it has no image-text model.
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
    attributes: tuple[Attribute, ...]
    methods: Mapping[str, Method]
    mean: Array
    directions: Mapping[str, Direction] = field(default_factory=dict)
    spaces: Mapping[Space, CodeParts] = field(default_factory=dict)
    presets: Mapping[Preset, PresetChoice] = field(default_factory=dict)
    domain: Domain | None = None
    controls: Controls | None = None
    text: TextModel | None = None

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """What the attribute network reads, in order."""
        return tuple(attribute.name for attribute in self.attributes)

    @property
    def default_method(self) -> Method:
        """How to invert unless the caller says otherwise."""
        return next(iter(self.methods.values()))

    def graph(self, role: str) -> str:
        """What the pack's graph in a role is called."""
        return graph_name(self.name, role)

    @property
    def encoders(self) -> tuple[str, ...]:
        """The roles of the graphs that encode images, the pack's own first."""
        own = [Role.ENCODE] if self.encoder else []
        starts = [each.encoder for each in self.methods.values() if StartRule.ENCODER in each.rates]
        return tuple(dict.fromkeys((*own, *starts)))

    @property
    def served(self) -> tuple[str, ...]:
        """The graphs that inverting, editing and sampling need, by name."""
        methods = self.methods.values()
        roles = [
            *self.encoders,
            *(Role.MAP, Role.SYNTHESIZE, Role.ASSESS, *([Role.ATTRIBUTES] if self.attributes else [])),
            *(shape.graph for shape in self.spaces.values()),
            *(method.graph for method in methods if method.graph is not None),
            *([] if self.controls is None else (shape.read_graph for shape in self.spaces.values())),
            *([] if self.text is None else [Role.TEXT]),
            *(move_role(name) for name, each in self.directions.items() if each.learned),
        ]
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
        mean = read_tensors(folder / LATENTS)["mean"]
        check_shape(folder / LATENTS, "mean", mean, shape)
        spaces = _spaces(manifest, shape)
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
            attributes=(attributes := _attributes(manifest)),
            methods=_methods(manifest),
            mean=mean,
            directions=read_directions(
                folder / DIRECTIONS,
                manifest.get("directions", []),
                vector_shapes(shape, int(latent["z_width"]), spaces),
            ),
            spaces=spaces,
            presets=read_presets(manifest.get("presets", {}), manifest["methods"]),
            domain=read_domain(manifest["domain"]) if "domain" in manifest else None,
            controls=_controls(folder, manifest, attributes, shape),
            text=read_texts(folder, manifest["text"], spaces) if "text" in manifest else None,
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


def _check_name(name: Any) -> None:
    """Graphs' folders are called after it, so it must not lead out of theirs."""
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise ValueError(f"name: expected lower-case letters, digits and underscores, got {name!r}")


def _check_files(folder: Path, digests: Mapping[str, str]) -> None:
    for name, expected in digests.items():
        if Path(name).name != name:
            raise ValueError(f"files: expected names of files in the pack's folder, got {name!r}")
        path = folder / name
        if name not in (LATENTS, DIRECTIONS, CONTROLS, TEXT, TOKENIZER) and not path.exists():
            continue  # weights, which whoever serves may leave behind
        with reading(path):
            if file_digest(path) != expected:
                raise PackError(f"{path}: SHA-256 differs from the manifest's")


def _metrics(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    names = tuple(manifest.get("metrics", (*METRICS, "perceptual")))
    if missing := [name for name in METRICS if name not in names]:
        raise ValueError(f"metrics: expected {' and '.join(missing)} among them")
    if unknown := [name for name in names if name not in (*METRICS, *MORE_METRICS)]:
        raise ValueError(f"metrics: expected some of {', '.join(MORE_METRICS)} besides, got {unknown[0]!r}")
    return names


def _attributes(manifest: Mapping[str, Any]) -> tuple[Attribute, ...]:
    attributes = tuple(map(read_attribute, manifest["attributes"]))
    names = [attribute.name for attribute in attributes]
    if len(set(names)) < len(names):
        raise ValueError(f"attributes: expected each name once, got {', '.join(names)}")
    return attributes


def _controls(
    folder: Path, manifest: Mapping[str, Any], attributes: tuple[Attribute, ...], shape: tuple[int, int]
) -> Controls | None:
    if "controls" not in manifest:
        return None
    if unknown := [attribute.name for attribute in attributes if not attribute.measured]:
        raise ValueError(
            f"attributes: {unknown[0]}: expected a range, low below high, since there are controls"
        )
    jacobian = read_tensors(folder / CONTROLS)[JACOBIAN]
    check_shape(folder / CONTROLS, JACOBIAN, jacobian, (len(attributes), *shape))
    return read_controls(manifest["controls"], jacobian)


def _methods(manifest: Mapping[str, Any]) -> dict[str, Method]:
    methods = {name: read_method(name, table) for name, table in manifest["methods"].items()}
    if not methods:
        raise ValueError("methods: expected at least one")
    if not manifest.get("encoder", True):
        for method in methods.values():
            if StartRule.ENCODER in method.rates:
                raise ValueError(f"methods.{method.name}.rates: starts from an encoder that the pack has not")
    return methods


def _spaces(manifest: Mapping[str, Any], shape: tuple[int, int]) -> dict[Space, CodeParts]:
    plain = {
        Space.W: CodeParts(Role.SYNTHESIZE, {CODE: CodePart("float32", shape[1:])}),
        Space.W_PLUS: CodeParts(Role.SYNTHESIZE, {CODE: CodePart("float32", shape)}),
    }
    more = {
        Space(name): read_code_parts(Space(name), table) for name, table in manifest.get("spaces", {}).items()
    }
    if clash := [space for space in more if space in (*PLAIN, *WITHOUT_CODES)]:
        raise ValueError(f"spaces.{clash[0]}: every pack's codes of this space are alike")
    if Space.STYLE in more and STYLES not in more[Space.STYLE].parts:
        raise ValueError(f"spaces.{Space.STYLE}.parts: expected a part {STYLES}")
    spaces = plain | more
    for name, method in manifest["methods"].items():
        missing = [part for part in spaces[Space(method["space"])].parts if part not in method["answer"]]
        if missing:
            raise ValueError(f"methods.{name}.answer: expected an entry {' and one '.join(missing)}")
    return spaces
