"""Writing packs. The format is `relatent.core.pack`'s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from safetensors.numpy import save

from relatent.core.directions import Direction, direction_entry
from relatent.core.pack import DIRECTIONS, FORMAT, LATENTS, MANIFEST, InitialState, file_digest
from relatent_export.compile.graphs import MAX_STEPS, reconstruction_objective
from relatent_export.compile.step import state_shapes
from relatent_export.packs.networks import Networks
from relatent_export.packs.weights import FILES, save_networks
from relatent_export.writing import named, whole_folder

_DEFAULT_STEPS = 100


@dataclass(frozen=True)
class PackInfo:
    """What a pack says of itself.

    Attributes:
        name: lower-case letters, digits and underscores.
        learning_rate: Adam's step size by start, `encoder` and `mean`.
        weights: default weights of the objective's terms; the objective's own if left out.
        training: facts of the run that made the weights, for the record.
    """

    name: str
    description: str
    licence: str
    provenance: str
    learning_rate: Mapping[str, float]
    weights: Mapping[str, float] = field(default_factory=dict)
    training: Mapping[str, float] = field(default_factory=dict)


def write_pack(folder: Path, info: PackInfo, networks: Networks, directions: list[Direction]) -> None:
    """Write a pack: weights, latent statistics, directions, and the manifest that seals them.

    An earlier pack in the folder stays until all of the new one is written; what is no pack's own stays.

    Raises:
        OSError: it cannot be written; names the file.
    """
    with whole_folder(folder, info.name, stale=(*FILES, LATENTS, DIRECTIONS, MANIFEST)) as partial:
        _write_files(partial, info, networks, directions)


def _write_files(folder: Path, info: PackInfo, networks: Networks, directions: list[Direction]) -> None:
    weights = save_networks(networks, folder)
    config = networks.generator.config
    tensors = {LATENTS: {"mean": networks.generator.mean_code().contiguous().numpy()}}
    if directions:
        tensors[DIRECTIONS] = {d.name: np.ascontiguousarray(d.vector) for d in directions}
    for name, arrays in tensors.items():
        # `save_file` makes files that only their owner may read.
        with named(folder / name):
            (folder / name).write_bytes(save(arrays))
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "name": info.name,
        "revision": networks.revision,
        "description": info.description,
        "licence": info.licence,
        "provenance": info.provenance,
        **({"training": dict(info.training)} if info.training else {}),
        "resolution": config.resolution,
        "compare_side": networks.compare_size,
        "encoder": networks.encoder is not None,
        "metrics": list(networks.metrics),
        "attributes": list(networks.attribute_names),
        "latent": {"layers": config.layers, "width": config.latent_width, "z_width": config.z_width},
        "refine": _refinement(info, networks),
        "directions": [direction_entry(direction) for direction in directions],
        "files": {name: file_digest(folder / name) for name in (*weights, *tensors)},
    }
    with named(folder / MANIFEST):
        (folder / MANIFEST).write_text(tomli_w.dumps(manifest))


def _refinement(info: PackInfo, networks: Networks) -> dict[str, Any]:
    objective = reconstruction_objective(networks)
    codes = {*objective.variables, *objective.carried, *(f"best_{name}" for name in objective.variables)}
    state = {}
    for name, shape in state_shapes(objective, networks.bases).items():
        initial = InitialState.ZEROS
        if name in codes:
            initial = InitialState.CODE
        elif name == "best_loss":
            initial = InitialState.INFINITY
        state[name] = {"shape": list(shape), "initial": str(initial)}
    return {
        "max_steps": MAX_STEPS,
        "default_steps": _DEFAULT_STEPS,
        "learning_rate": dict(info.learning_rate),
        "weights": {**objective.weights, **info.weights},
        "state": state,
    }
