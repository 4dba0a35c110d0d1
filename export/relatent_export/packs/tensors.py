"""One network's file: safetensors, with what it takes to build the network in the header. No pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from relatent_export.nets.stored_names import our_name, stored_name
from relatent_export.writing import named

Header = dict[str, Any]
"""A network's `config`: values that JSON has, by the names that are stored."""


def save_network(path: Path, network: nn.Module, header: Header) -> None:
    """Write a network's weights, and its header.

    Raises:
        OSError: they cannot be written; names the file.
    """
    save_tensors(path, network.state_dict(), {"config": json.dumps(header, sort_keys=True)})


@contextmanager
def building_from(path: Path) -> Iterator[None]:
    """While a network is built from a file.

    Raises:
        ValueError: the file's weights do not fit its header.
    """
    try:
        yield
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path}: weights and header do not fit: {error}") from error


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors, in a file that whoever may look into its folder may read.

    Raises:
        OSError: they cannot be written; names the file.
    """
    with named(path):
        path.touch()
        rights = path.stat().st_mode
        save_file(
            {stored_name(name): tensor.contiguous() for name, tensor in tensors.items()}, path, metadata
        )
        # `save_file` makes files that only their owner may read, whatever the user's mask says.
        path.chmod(rights)


def load_network(path: Path) -> tuple[dict[str, Tensor], Header]:
    """A file's tensors and its header, with tuples where JSON has lists.

    Raises:
        ValueError: it is no safetensors file, or has no header.
    """
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
