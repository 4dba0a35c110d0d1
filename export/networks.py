"""A family's networks together, and their files in a pack: safetensors, shapes in the header.

generator.safetensors, encoder.safetensors, attributes.safetensors   the networks' weights
coordinates.safetensors   `basis`, float32 [L·D, M], where refinement is preconditioned
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from export.nets.attributes import AttributeNetwork
from export.nets.encoder import Encoder
from export.nets.stylegan2 import Generator, GeneratorConfig

_GENERATOR = "generator.safetensors"
_ENCODER = "encoder.safetensors"
_ATTRIBUTES = "attributes.safetensors"
_COORDINATES = "coordinates.safetensors"


@dataclass(frozen=True)
class Networks:
    """The networks a pack's graphs are made of, frozen and in evaluation mode.

    Attributes:
        generator: mapping and synthesis.
        encoder: images to W+ codes.
        attributes: images to attributes, and the features of the perceptual distance.
        attribute_names: of the attribute network's outputs, in order.
        basis: float32 [L·D, M], the coordinates that refinement steps in (`export.preconditioning`);
            None for those of the code itself.
    """

    generator: Generator
    encoder: Encoder
    attributes: AttributeNetwork
    attribute_names: tuple[str, ...]
    basis: Tensor | None = None

    def __post_init__(self) -> None:
        sides = self.encoder.resolution, self.generator.config.resolution
        if sides[0] != sides[1]:
            raise ValueError("encoder: expected one for images {1} on a side, got {0}".format(*sides))
        numbers = self.generator.config.layers * self.generator.config.latent_width
        if self.basis is not None and (self.basis.ndim != 2 or len(self.basis) != numbers):
            raise ValueError(f"basis: expected [{numbers}, M], got {list(self.basis.shape)}")
        for network in (self.generator, self.encoder, self.attributes):
            network.eval().requires_grad_(False)

    @property
    def bases(self) -> dict[str, Tensor]:
        """The basis by the variable of refinement that is stepped in it."""
        return {} if self.basis is None else {"w": self.basis}

    @property
    def revision(self) -> str:
        """SHA-256, in hex, over the mapping and synthesis weights: what latent codes belong to."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.generator.state_dict().items()):
            array = tensor.contiguous().numpy()
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


def save_networks(networks: Networks, folder: Path) -> list[str]:
    """Write the networks' files into a pack's folder; returns their names."""
    encoder, attributes = networks.encoder, networks.attributes
    _save(folder / _GENERATOR, networks.generator, asdict(networks.generator.config))
    shape = {"layers": encoder.layers, "width": encoder.width, "widths": encoder.widths, "head": encoder.head}
    _save(folder / _ENCODER, encoder, shape)
    _save(folder / _ATTRIBUTES, attributes, {"names": networks.attribute_names, "widths": attributes.widths})
    (folder / _COORDINATES).unlink(missing_ok=True)
    if networks.basis is None:
        return [_GENERATOR, _ENCODER, _ATTRIBUTES]
    (folder / _COORDINATES).write_bytes(save({"basis": networks.basis}))
    return [_GENERATOR, _ENCODER, _ATTRIBUTES, _COORDINATES]


def load_networks(folder: Path) -> Networks:
    """Read a pack's networks.

    Raises:
        FileNotFoundError: the folder holds no weights.
        ValueError: a file's weights do not fit its own header.
    """
    path = folder / _GENERATOR
    tensors, header = _load(path)
    with _fitting(path):
        generator = Generator(GeneratorConfig(**{**header, "channels": tuple(header["channels"])}))
        generator.load_state_dict(tensors)
    path = folder / _ENCODER
    tensors, header = _load(path)
    with _fitting(path):
        encoder = Encoder(**{**header, "widths": tuple(header["widths"])}, mean=tensors["mean"])
        encoder.load_state_dict(tensors)
    path = folder / _ATTRIBUTES
    tensors, header = _load(path)
    with _fitting(path):
        names, widths = tuple(header["names"]), tuple(header["widths"])
        attributes = AttributeNetwork(len(names), generator.config.resolution, widths)
        attributes.load_state_dict(tensors)
    return Networks(generator, encoder, attributes, names, _load_basis(folder / _COORDINATES))


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


def _save(path: Path, module: nn.Module, config: dict[str, Any]) -> None:
    tensors = {name: tensor.contiguous().clone() for name, tensor in module.state_dict().items()}
    # `save_file` makes files that only their owner may read; written over, such a file stays so.
    path.unlink(missing_ok=True)
    path.write_bytes(save(tensors, metadata={"config": json.dumps(config, sort_keys=True)}))


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path}: {error}") from error
    if "config" not in metadata:
        raise ValueError(f"{path}: expected a header entry 'config'")
    return tensors, json.loads(metadata["config"])
