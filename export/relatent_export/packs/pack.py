"""Writing packs. The format is `relatent.core.pack`'s."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from safetensors.numpy import save

from relatent.core.attributes import attribute_entry
from relatent.core.controls import CONTROLS, JACOBIAN, controls_table
from relatent.core.directions import Direction, direction_entry
from relatent.core.domain import domain_table
from relatent.core.manifest import FORMAT, MANIFEST
from relatent.core.methods import method_table
from relatent.core.pack import DIRECTIONS, LATENTS, file_digest
from relatent.core.presets import presets_table
from relatent.core.spaces import Space, code_parts_table
from relatent.core.text import TEXT
from relatent_export.analysis.domain import measure_domain
from relatent_export.directions.controls import Measured
from relatent_export.nets.networks import Networks
from relatent_export.objectives.methods import LIGHT, available, code_parts, describe, presets
from relatent_export.packs.moves import move_file
from relatent_export.packs.weights import FILES, save_networks
from relatent_export.writing import named, whole_folder


@dataclass(frozen=True)
class PackFacts:
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


def write_pack(
    folder: Path,
    info: PackFacts,
    networks: Networks,
    directions: list[Direction],
    methods: Sequence[str] = LIGHT,
    measured: Measured | None = None,
) -> None:
    """Write a pack: weights, latent statistics, directions, and the manifest that seals them.

    An earlier pack in the folder stays until all of the new one is written; what is no pack's own stays.

    Args:
        folder: the pack's.
        info: what it says of itself.
        networks: its weights.
        directions: its directions.
        methods: its ways of inverting, by name, the default first; those that its networks do not allow are
            left out.
        measured: what exact edits need, where that was measured.

    Raises:
        OSError: it cannot be written; names the file.
    """
    moves = [path.name for path in folder.glob(move_file("*"))]
    stale = (*FILES, LATENTS, DIRECTIONS, CONTROLS, TEXT, MANIFEST, *moves)
    with whole_folder(folder, info.name, stale=stale) as partial:
        _write_files(partial, info, networks, directions, available(networks, methods), measured)


def _write_files(
    folder: Path,
    info: PackFacts,
    networks: Networks,
    directions: list[Direction],
    methods: Sequence[str],
    measured: Measured | None,
) -> None:
    weights = save_networks(networks, folder)
    config = networks.generator.config
    tensors = {LATENTS: {"mean": networks.generator.mean_code().contiguous().numpy()}}
    if directions:
        tensors[DIRECTIONS] = {d.name: np.ascontiguousarray(d.vector) for d in directions}
    if measured is not None:
        tensors[CONTROLS] = {JACOBIAN: measured.controls.jacobian}
    for name, arrays in tensors.items():
        # `save_file` makes files that only their owner may read.
        with named(folder / name):
            (folder / name).write_bytes(save(arrays))
    attributes: Iterable[Any] = networks.attribute_names
    if measured is not None:
        attributes = map(attribute_entry, measured.attributes)
    domain = measure_domain(networks)
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
        "attributes": list(attributes),
        "latent": {"layers": config.layers, "width": config.latent_width, "z_width": config.z_width},
        **method_tables(networks, methods, info.learning_rate, info.weights),
        **({} if domain is None else {"domain": domain_table(domain)}),
        **({} if measured is None else {"controls": controls_table(measured.controls)}),
        "directions": [direction_entry(direction) for direction in directions],
        "files": {name: file_digest(folder / name) for name in (*weights, *tensors)},
    }
    with named(folder / MANIFEST):
        (folder / MANIFEST).write_text(tomli_w.dumps(manifest))


def method_tables(
    networks: Networks,
    methods: Sequence[str],
    rates: Mapping[str, float],
    weights: Mapping[str, float],
    spaces: Sequence[Space] = (),
) -> dict[str, Any]:
    """A manifest's tables `methods`, `spaces` and `presets`.

    Args:
        networks: the pack's.
        methods: by name, the default first.
        rates: Adam's step size by start, `encoder` and `mean`.
        weights: default weights of the objectives' terms; their own if left out.
        spaces: of codes, besides those that methods find codes in.
    """
    return {
        "methods": {name: method_table(describe(name, networks, rates, weights)) for name in methods},
        "spaces": {
            str(space): code_parts_table(shape)
            for space, shape in code_parts(networks, methods, spaces).items()
        },
        "presets": presets_table(presets(methods)),
    }
