"""Training state on disk: one safetensors file, written whole or not at all. No pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from relatent_export.nets.stored_names import our_name, stored_name
from relatent_export.writing import whole_file


def save_state(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able facts; a file of that name is replaced in one step.

    Raises:
        OSError: they cannot be written; names the file.
    """
    contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with whole_file(path) as partial:
        save_file(contiguous, partial, metadata={"facts": json.dumps(dict(facts), sort_keys=True)})


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_state` wrote."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = json.loads((file.metadata() or {}).get("facts", "{}"))
    return tensors, facts


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """A module's state under a prefix."""
    return {f"{prefix}.{stored_name(name)}": tensor for name, tensor in module.state_dict().items()}


def load_module(prefix: str, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put the tensors under a prefix back into a module; every name must match."""
    kept = under(prefix, tensors)
    module.load_state_dict({our_name(name): tensor for name, tensor in kept.items()})


def optimizer_tensors(prefix: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An Adam optimiser's moments and step counts under a prefix, numbered by parameter."""
    return {
        f"{prefix}.{index}.{name}": torch.as_tensor(value)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def load_optimizer(prefix: str, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put an optimiser's state back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in under(prefix, tensors).items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with a prefix, without it."""
    start = prefix + "."
    return {name[len(start) :]: tensor for name, tensor in tensors.items() if name.startswith(start)}
