"""The networks' files in a pack: safetensors, with what it takes to build the network in the header.

generator.safetensors, encoder.safetensors, attributes.safetensors, lpips.safetensors,
identity.safetensors   the networks' weights; but for the generator's, those that the pack has
attributes.onnx   in place of attributes.safetensors, somebody else's network as a graph
(`relatent_export.attributes`)
identity.onnx   in place of identity.safetensors, likewise
vision_model.onnx and others   an image-text pair, where there is one (`relatent_export.packs.pair`)
forced_encoder.safetensors   a second encoder, whose codes are like random ones', where there is one
coordinates.safetensors   where refinement is preconditioned: `basis`, float32 [L·D, M]; where what lies
outside of it is stepped, its scale `outside`, [1]; and `unit`, [1] (`relatent_export.nets.coordinates`)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from relatent_export.attributes.graphs import ATTRIBUTE_GRAPH, IDENTITY_GRAPH, names_of, read_graph
from relatent_export.nets.arcface import ArcFace, ArcFaceConfig
from relatent_export.nets.assigning import assign
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.coordinates import UNIT, Coordinates
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.gradual_style import GradualStyleConfig, GradualStyleEncoder
from relatent_export.nets.indomain_encoder import InDomainConfig, InDomainEncoder
from relatent_export.nets.lpips import Lpips, LpipsConfig
from relatent_export.nets.networks import AnyEncoder, AnyGenerator, Networks
from relatent_export.nets.restyle import ReStyleConfig, ReStyleEncoder
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.packs.pair import PAIR_FILES, load_pair, pair_files
from relatent_export.packs.tensors import Header, building_from, load_network, save_network, save_tensors
from relatent_export.writing import named

GENERATOR = "generator.safetensors"
ENCODER = "encoder.safetensors"
ATTRIBUTES = "attributes.safetensors"
LPIPS = "lpips.safetensors"
IDENTITY = "identity.safetensors"
COORDINATES = "coordinates.safetensors"
FORCED_ENCODER = "forced_encoder.safetensors"
FILES = (
    *(GENERATOR, ENCODER, ATTRIBUTES, LPIPS, IDENTITY, COORDINATES, FORCED_ENCODER),
    *(ATTRIBUTE_GRAPH, IDENTITY_GRAPH, *PAIR_FILES),
)

JUDGE = "judge.safetensors"
"""What may lie beside them for reports: no manifest lists it, and `load_networks` does not read it."""

_GENERATORS: Mapping[str, Callable[[Header], AnyGenerator]] = {
    "stylegan2": lambda header: Generator(GeneratorConfig(**header)),
    "stylegan1": lambda header: StyleGAN1(StyleGAN1Config(**header)),
}
_ENCODERS: Mapping[str, Callable[[Header], AnyEncoder]] = {
    "pyramid": lambda header: Encoder(**header, mean=torch.zeros(header["width"])),
    "gradual-style": lambda header: GradualStyleEncoder(GradualStyleConfig(**header)),
    "restyle": lambda header: ReStyleEncoder(ReStyleConfig(**header)),
    "in-domain": lambda header: InDomainEncoder(InDomainConfig(**header)),
}
"""How a network is built from a header, by the header's `kind`; a file without one has the first."""


_STORED: Mapping[str, Mapping[str, str]] = {
    "pyramid": {"channels": "widths"},
    "gradual-style": {"channels": "widths", "image_channels": "channels"},
    "restyle": {"channels": "widths", "image_channels": "channels"},
    "attributes": {"channels": "widths"},
    "lpips": {"channels": "widths"},
    "arcface": {"channels": "widths", "image_channels": "channels", "resolution": "side"},
}
"""By kind, what a header's fields are called, where we call them otherwise."""


def save_networks(networks: Networks, folder: Path) -> list[str]:
    """Write the networks' files into a pack's folder, and remove an earlier pack's; returns their names."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    modules: dict[str, tuple[nn.Module, Header]] = {
        GENERATOR: (networks.generator, _generator_header(networks.generator))
    }
    if networks.encoder is not None:
        modules[ENCODER] = (networks.encoder, _encoder_header(networks.encoder))
    if networks.forced_encoder is not None:
        modules[FORCED_ENCODER] = (networks.forced_encoder, _encoder_header(networks.forced_encoder))
    if networks.attributes is not None:
        header = {"names": networks.attribute_names, "channels": networks.attributes.channels}
        modules[ATTRIBUTES] = (networks.attributes, _stored("attributes", header))
    if networks.lpips is not None:
        modules[LPIPS] = (networks.lpips, _stored("lpips", asdict(networks.lpips.config)))
    if networks.identity is not None:
        modules[IDENTITY] = (networks.identity, _stored("arcface", asdict(networks.identity.config)))
    for name, (module, header) in modules.items():
        save_network(folder / name, module, header)
    written = list(modules)
    if networks.coordinates is not None:
        save_tensors(folder / COORDINATES, coordinate_tensors(networks.coordinates), {})
        written.append(COORDINATES)
    graphs = {ATTRIBUTE_GRAPH: networks.attribute_graph, IDENTITY_GRAPH: networks.identity_graph}
    pair = {} if networks.image_text is None else pair_files(networks.image_text)
    for name, data in {**graphs, **pair}.items():
        if data is not None:
            with named(folder / name):
                (folder / name).write_bytes(data)
            written.append(name)
    return written


def save_encoder(path: Path, encoder: AnyEncoder) -> None:
    """Write one encoder's file.

    Raises:
        OSError: it cannot be written; names the file.
    """
    save_network(path, encoder, _encoder_header(encoder))


def load_networks(folder: Path, compare_size: int = 0) -> Networks:
    """Read a pack's networks.

    Args:
        folder: of the pack.
        compare_size: as its manifest has it; 0 for the usual one.

    Raises:
        FileNotFoundError: the folder holds no generator.
        ValueError: a file's weights do not fit its own header.
    """
    generator: AnyGenerator = _build(folder / GENERATOR, _GENERATORS)
    encoder = attributes = lpips = identity = forced = None
    names: tuple[str, ...] = ()
    if (folder / ENCODER).exists():
        encoder = _build(folder / ENCODER, _ENCODERS)
    if (folder / ATTRIBUTES).exists():
        attributes, names = _attributes(folder / ATTRIBUTES, generator.config.resolution)
    if (folder / LPIPS).exists():
        lpips = _build(folder / LPIPS, {"lpips": lambda header: Lpips(LpipsConfig(**header))})
    if (folder / IDENTITY).exists():
        identity = _build(folder / IDENTITY, {"arcface": lambda header: ArcFace(ArcFaceConfig(**header))})
    if (folder / FORCED_ENCODER).exists():
        forced = _build(folder / FORCED_ENCODER, _ENCODERS)
    coordinates = _load_coordinates(folder / COORDINATES)
    graph = None
    if (folder / ATTRIBUTE_GRAPH).exists():
        graph, names = _attribute_graph(folder / ATTRIBUTE_GRAPH, generator.config.resolution)
    likeness = None
    if (folder / IDENTITY_GRAPH).exists():
        likeness = read_graph(folder / IDENTITY_GRAPH).SerializeToString(deterministic=True)
    return Networks(
        generator=generator,
        encoder=encoder,
        attributes=attributes,
        attribute_names=names,
        coordinates=coordinates,
        lpips=lpips,
        identity=identity,
        compare_size=compare_size,
        forced_encoder=forced,
        attribute_graph=graph,
        identity_graph=likeness,
        image_text=load_pair(folder),
    )


def _generator_header(generator: AnyGenerator) -> Header:
    kinds = {Generator: "stylegan2", StyleGAN1: "stylegan1"}
    return {"kind": kinds[type(generator)], **asdict(generator.config)}


def _encoder_header(encoder: AnyEncoder) -> Header:
    if isinstance(encoder, Encoder):
        shape = {"layers": encoder.layers, "width": encoder.width, "channels": encoder.channels}
        return {"kind": "pyramid", **_stored("pyramid", {**shape, "head": encoder.head})}
    kinds = {GradualStyleEncoder: "gradual-style", ReStyleEncoder: "restyle", InDomainEncoder: "in-domain"}
    kind = kinds[type(encoder)]
    return {"kind": kind, **_stored(kind, asdict(encoder.config))}


def _stored(kind: str, header: Header) -> Header:
    """A header with the fields' names as they are stored."""
    names = _STORED.get(kind, {})
    return {names.get(name, name): value for name, value in header.items()}


def _ours(kind: str, header: Header) -> Header:
    """A stored header with our names."""
    names = {stored: ours for ours, stored in _STORED.get(kind, {}).items()}
    return {names.get(name, name): value for name, value in header.items()}


def _build(path: Path, kinds: Mapping[str, Callable[[Header], Any]]) -> Any:
    tensors, header = load_network(path)
    kind = header.pop("kind", next(iter(kinds)))
    if kind not in kinds:
        raise ValueError(f"{path}: kind: expected {' or '.join(map(repr, kinds))}, got {kind!r}")
    with building_from(path):
        network = kinds[kind](_ours(kind, header))
        assign(network, tensors)
    return network


def _attributes(path: Path, resolution: int) -> tuple[AttributeNetwork, tuple[str, ...]]:
    tensors, stored = load_network(path)
    header = _ours("attributes", stored)
    with building_from(path):
        network = AttributeNetwork(len(header["names"]), resolution, header["channels"])
        assign(network, tensors)
        return network, header["names"]


def _attribute_graph(path: Path, resolution: int) -> tuple[bytes, tuple[str, ...]]:
    model = read_graph(path)
    try:
        names = names_of(model, resolution)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return path.read_bytes(), names


def coordinate_tensors(coordinates: Coordinates) -> dict[str, Tensor]:
    """What the file of coordinates holds."""
    tensors = {"basis": coordinates.basis}
    if coordinates.outside is not None:
        tensors["outside"] = torch.tensor([coordinates.outside])
    if coordinates.unit != UNIT:
        tensors["unit"] = torch.tensor([coordinates.unit])
    return tensors


def _load_coordinates(path: Path) -> Coordinates | None:
    if not path.exists():
        return None
    try:
        tensors = load_file(path)
        numbers = {name: float(tensors[name].reshape(())) for name in ("outside", "unit") if name in tensors}
        return Coordinates(tensors["basis"], **numbers)
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path}: expected a tensor 'basis': {error}") from error
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
