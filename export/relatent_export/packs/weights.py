"""The networks' files in a pack: safetensors, with what it takes to build the network in the header.

generator.safetensors, encoder.safetensors, attributes.safetensors, lpips.safetensors,
identity.safetensors   the networks' weights; but for the generator's, those that the pack has
coordinates.safetensors   `basis`, float32 [L·D, M], where refinement is preconditioned
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from relatent_export.nets.arcface import ArcFace, ArcFaceConfig
from relatent_export.nets.assigning import assign
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.gradual_style import GradualStyleConfig, GradualStyleEncoder
from relatent_export.nets.indomain_encoder import InDomainConfig, InDomainEncoder
from relatent_export.nets.lpips import Lpips, LpipsConfig
from relatent_export.nets.networks import AnyEncoder, AnyGenerator, Networks
from relatent_export.nets.restyle import ReStyleConfig, ReStyleEncoder
from relatent_export.nets.stored_names import our_name, stored_name
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.writing import named

GENERATOR = "generator.safetensors"
ENCODER = "encoder.safetensors"
ATTRIBUTES = "attributes.safetensors"
LPIPS = "lpips.safetensors"
IDENTITY = "identity.safetensors"
COORDINATES = "coordinates.safetensors"
FILES = (GENERATOR, ENCODER, ATTRIBUTES, LPIPS, IDENTITY, COORDINATES)

_Header = dict[str, Any]

_GENERATORS: Mapping[str, Callable[[_Header], AnyGenerator]] = {
    "stylegan2": lambda header: Generator(GeneratorConfig(**header)),
    "stylegan1": lambda header: StyleGAN1(StyleGAN1Config(**header)),
}
_ENCODERS: Mapping[str, Callable[[_Header], AnyEncoder]] = {
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
    modules: dict[str, tuple[nn.Module, _Header]] = {
        GENERATOR: (networks.generator, _generator_header(networks.generator))
    }
    if networks.encoder is not None:
        modules[ENCODER] = (networks.encoder, _encoder_header(networks.encoder))
    if networks.attributes is not None:
        header = {"names": networks.attribute_names, "channels": networks.attributes.channels}
        modules[ATTRIBUTES] = (networks.attributes, _stored("attributes", header))
    if networks.lpips is not None:
        modules[LPIPS] = (networks.lpips, _stored("lpips", asdict(networks.lpips.config)))
    if networks.identity is not None:
        modules[IDENTITY] = (networks.identity, _stored("arcface", asdict(networks.identity.config)))
    for name, (module, header) in modules.items():
        _save(folder / name, module.state_dict(), {"config": json.dumps(header, sort_keys=True)})
    if networks.basis is None:
        return list(modules)
    _save(folder / COORDINATES, {"basis": networks.basis}, {})
    return [*modules, COORDINATES]


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
    encoder = attributes = lpips = identity = None
    names: tuple[str, ...] = ()
    if (folder / ENCODER).exists():
        encoder = _build(folder / ENCODER, _ENCODERS)
    if (folder / ATTRIBUTES).exists():
        attributes, names = _attributes(folder / ATTRIBUTES, generator.config.resolution)
    if (folder / LPIPS).exists():
        lpips = _build(folder / LPIPS, {"lpips": lambda header: Lpips(LpipsConfig(**header))})
    if (folder / IDENTITY).exists():
        identity = _build(folder / IDENTITY, {"arcface": lambda header: ArcFace(ArcFaceConfig(**header))})
    basis = _load_basis(folder / COORDINATES)
    return Networks(generator, encoder, attributes, names, basis, lpips, identity, compare_size)


def _generator_header(generator: AnyGenerator) -> _Header:
    kinds = {Generator: "stylegan2", StyleGAN1: "stylegan1"}
    return {"kind": kinds[type(generator)], **asdict(generator.config)}


def _encoder_header(encoder: AnyEncoder) -> _Header:
    if isinstance(encoder, Encoder):
        shape = {"layers": encoder.layers, "width": encoder.width, "channels": encoder.channels}
        return {"kind": "pyramid", **_stored("pyramid", {**shape, "head": encoder.head})}
    kinds = {GradualStyleEncoder: "gradual-style", ReStyleEncoder: "restyle", InDomainEncoder: "in-domain"}
    kind = kinds[type(encoder)]
    return {"kind": kind, **_stored(kind, asdict(encoder.config))}


def _stored(kind: str, header: _Header) -> _Header:
    """A header with the fields' names as they are stored."""
    names = _STORED.get(kind, {})
    return {names.get(name, name): value for name, value in header.items()}


def _ours(kind: str, header: _Header) -> _Header:
    """A stored header with our names."""
    names = {stored: ours for ours, stored in _STORED.get(kind, {}).items()}
    return {names.get(name, name): value for name, value in header.items()}


def _build(path: Path, kinds: Mapping[str, Callable[[_Header], Any]]) -> Any:
    tensors, header = _load(path)
    kind = header.pop("kind", next(iter(kinds)))
    if kind not in kinds:
        raise ValueError(f"{path}: kind: expected {' or '.join(map(repr, kinds))}, got {kind!r}")
    with _fitting(path):
        network = kinds[kind](_ours(kind, header))
        assign(network, tensors)
    return network


def _attributes(path: Path, resolution: int) -> tuple[AttributeNetwork, tuple[str, ...]]:
    tensors, stored = _load(path)
    header = _ours("attributes", stored)
    with _fitting(path):
        network = AttributeNetwork(len(header["names"]), resolution, header["channels"])
        assign(network, tensors)
        return network, header["names"]


def _load_basis(path: Path) -> Tensor | None:
    if not path.exists():
        return None
    try:
        return load_file(path)["basis"]
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path}: expected a tensor 'basis': {error}") from error


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path}: weights and header do not fit: {error}") from error


def _save(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    with named(path):
        path.touch()
        rights = path.stat().st_mode
        save_file(
            {stored_name(name): tensor.contiguous() for name, tensor in tensors.items()}, path, metadata
        )
        # `save_file` makes files that only their owner may read, whatever the user's mask says.
        path.chmod(rights)


def _load(path: Path) -> tuple[dict[str, Tensor], _Header]:
    """A file's tensors and its header, with tuples where JSON has lists."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {our_name(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path}: {error}") from error
    if "config" not in metadata:
        raise ValueError(f"{path}: expected a header entry 'config'")
    return tensors, _tuples(json.loads(metadata["config"]))


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
