"""Writing a Triton model repository: one folder a graph, with its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import onnx
from tritonclient.grpc import model_config_pb2

from relatent.core.graphs import DIGEST, MOVE, PACK, REVISION, Role, graph_name, is_refinement
from relatent.core.pack import file_digest, read_pack
from relatent.core.spaces import Space
from relatent_export.compile.onnx import save_graph
from relatent_export.compile.precision import Precision
from relatent_export.nets.networks import Networks
from relatent_export.objectives.methods import LIGHT
from relatent_export.packs.moves import move_graphs
from relatent_export.packs.weights import load_networks
from relatent_export.progress import progress
from relatent_export.triton.config import Ensemble, ModelConfig, parse_config, tensors
from relatent_export.triton.graphs import all_roles, build_graphs, roles
from relatent_export.triton.targets import Target, configured, graph_precision
from relatent_export.writing import whole_folder

_MAX_BATCH, _LEAST_BATCH, _BATCHED_RESOLUTION = 16, 4, 256
"""Samples of one execution, up to this resolution and for very large images."""

_ONE_STEP = {"steps": np.array([1], "<i4").tobytes()}
"""What refinement is warmed up with: of no steps it would not have to compute any."""


class OtherWeights(ValueError):
    """A pack's manifest names another revision than its weights have."""


def write_repository(
    pack: Path, into: Path, target: Target = Target.CPU, precision: Precision = Precision.FLOAT32
) -> list[Path]:
    """Export a pack's graphs into a model repository. The same pack gives the same bytes.

    Args:
        pack: the pack's folder, with manifest and weights.
        into: the model repository; other packs' models in it are left alone.
        target: what Triton runs them on.
        precision: of feature maps and convolutions.

    Returns:
        The models' folders.

    Raises:
        OtherWeights: the manifest's revision is not that of the weights.
        ValueError: the target has no such precision.
        OSError: a file cannot be read or written; names it.
    """
    manifest = read_pack(pack)
    networks = load_networks(pack, manifest.compare_size)
    if manifest.revision != networks.revision:
        raise OtherWeights(
            f"{pack}: revision: the manifest says {manifest.revision}, the weights have {networks.revision}"
        )
    return write_models(
        manifest.name,
        networks,
        into,
        target,
        precision,
        methods=tuple(manifest.methods),
        spaces=tuple(manifest.spaces),
        moves=dict(move_graphs(pack, manifest)),
    )


def write_models(
    name: str,
    networks: Networks,
    into: Path,
    target: Target = Target.CPU,
    precision: Precision = Precision.FLOAT32,
    methods: Sequence[str] = LIGHT,
    spaces: Sequence[Space] = (),
    moves: Mapping[str, onnx.ModelProto] | None = None,
) -> list[Path]:
    """Export networks as the models of a pack called `name`, in place of an earlier pack's of that name.

    The earlier models stay until all new ones are written, and then go at once.

    Args:
        name: of the pack.
        networks: its own.
        into: the model repository.
        target: what Triton runs them on.
        precision: of feature maps and convolutions.
        methods: ways of inverting, by name.
        spaces: of codes, besides those that methods find codes in.
        moves: the graphs of learned directions, by their roles.

    Raises:
        OSError: they cannot be written; names the file.
    """
    models, revision, most = [], networks.revision, _max_batch(networks.generator.config.resolution)
    moves = moves or {}
    graphs = chain(
        build_graphs(networks, target=target, precision=precision, methods=methods, spaces=spaces),
        moves.items(),
    )
    earlier = [graph_name(name, role) for role in all_roles()]
    earlier += _moves_of(name, into)
    count = len(roles(networks, methods, spaces)) + len(moves)
    with whole_folder(into, name, stale=earlier) as partial:
        for role, model in progress(graphs, f"exporting {name}", total=count, unit="graph"):
            models.append(graph_name(name, role))
            folder = partial / models[-1]
            file = folder / "1" / "model.onnx"
            save_graph(model, file)
            parameters = {PACK: name, REVISION: revision, DIGEST: file_digest(file)}
            config = _config(name, role, model, parameters, most)
            config = configured(config, target, graph_precision(role, target, precision), model)
            config.write(folder)
        models += write_ensembles(name, partial)
    return [into / model for model in models]


def _moves_of(pack: str, repository: Path) -> list[str]:
    """The models of a pack's learned directions in a repository, by what their configurations say."""
    found = []
    for folder in repository.glob(f"{graph_name(pack, MOVE)}*"):
        config = folder / "config.pbtxt"
        if config.is_file() and _config_of(folder).parameters[PACK].string_value == pack:
            found.append(folder.name)
    return found


def _max_batch(resolution: int) -> int:
    """A batch of large images would need more memory than it saves time."""
    return max(_LEAST_BATCH, min(_MAX_BATCH, _MAX_BATCH * _BATCHED_RESOLUTION // resolution))


def _config(
    pack: str, role: str, model: onnx.ModelProto, parameters: Mapping[str, str], most: int
) -> ModelConfig:
    return ModelConfig(
        name=graph_name(pack, role),
        max_batch=most,
        inputs=tensors(list(model.graph.input)),
        outputs=tensors(list(model.graph.output)),
        warmup=(1, most // 2, most),
        warmup_data=_ONE_STEP if is_refinement(role) else {},
        parameters=parameters,
    )


def write_ensembles(pack: str, repository: Path) -> list[str]:
    """Join each of a pack's graphs that make images to the one that reads attributes, where there is one.

    Args:
        pack: its name.
        repository: where its models lie; the ensembles come beside them.

    Returns:
        The ensembles' names.
    """
    second = graph_name(pack, Role.ATTRIBUTES)
    if not (repository / second).is_dir():
        return []
    reading, names = _config_of(repository / second), []
    for role in Role:
        first = graph_name(pack, role)
        if not role.startswith(Role.SYNTHESIZE) or not (repository / first).is_dir():
            continue
        making = _config_of(repository / first)
        names.append(graph_name(pack, role.replace(Role.SYNTHESIZE, Role.READ, 1)))
        Ensemble(names[-1], making, reading).write(repository / names[-1])
    return names


def _config_of(folder: Path) -> model_config_pb2.ModelConfig:
    config = parse_config((folder / "config.pbtxt").read_text())
    config.name = folder.name
    return config
