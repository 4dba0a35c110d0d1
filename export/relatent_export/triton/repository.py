"""Writing a Triton model repository: one folder a graph, with its configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from relatent.core.pack import read_pack
from relatent_export.compile.graphs import ROLES, build_graphs, roles
from relatent_export.compile.onnx import save_graph
from relatent_export.compile.precision import Precision
from relatent_export.packs.networks import Networks
from relatent_export.packs.weights import load_networks
from relatent_export.progress import progress
from relatent_export.triton.config import ModelConfig, tensors
from relatent_export.triton.targets import Target, configured, graph_precision
from relatent_export.writing import whole_folder

_MAX_BATCH, _LEAST_BATCH, _BATCHED_SIDE = 16, 4, 256
"""Samples of one execution, up to this side of images and for very large ones."""

_QUEUE_DELAY = {"refine": 4_000}
"""Microseconds a batch waits to fill. A refinement call takes hundreds of milliseconds: a few are
well spent on company."""

_SHORT_DELAY = 1_000

_ONE_STEP = {"steps": np.array([1], "<i4").tobytes()}
"""What refinement is warmed up with: of no steps it would not have to compute any."""


class RevisionMismatch(ValueError):
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
        RevisionMismatch: the manifest's revision is not that of the weights.
        ValueError: the target has no such precision.
        OSError: a file cannot be read or written; names it.
    """
    manifest = read_pack(pack)
    networks = load_networks(pack, manifest.compare_side)
    if manifest.revision != networks.revision:
        raise RevisionMismatch(
            f"{pack}: revision: the manifest says {manifest.revision}, the weights have {networks.revision}"
        )
    return write_models(manifest.name, networks, into, target, precision)


def write_models(
    name: str,
    networks: Networks,
    into: Path,
    target: Target = Target.CPU,
    precision: Precision = Precision.FLOAT32,
) -> list[Path]:
    """Export networks as the models of a pack called `name`, in place of an earlier pack's of that name.

    The earlier models stay until all new ones are written, and then go at once.

    Raises:
        OSError: they cannot be written; names the file.
    """
    models, revision, most = [], networks.revision, _max_batch(networks.generator.config.resolution)
    graphs = build_graphs(networks, target=target, precision=precision)
    earlier = [f"{name}_{role}" for role in ROLES]
    with whole_folder(into, name, stale=earlier) as partial:
        for role, model in progress(graphs, f"exporting {name}", total=len(roles(networks)), unit="graph"):
            models.append(f"{name}_{role}")
            folder = partial / models[-1]
            save_graph(model, folder / "1" / "model.onnx")
            config = _config(name, role, model, revision, most)
            config = configured(config, target, graph_precision(role, target, precision), model)
            config.write(folder)
    return [into / model for model in models]


def _max_batch(resolution: int) -> int:
    """A batch of large images would need more memory than it saves time."""
    return max(_LEAST_BATCH, min(_MAX_BATCH, _MAX_BATCH * _BATCHED_SIDE // resolution))


def _config(pack: str, role: str, model: onnx.ModelProto, revision: str, most: int) -> ModelConfig:
    return ModelConfig(
        name=f"{pack}_{role}",
        max_batch=most,
        inputs=tensors(list(model.graph.input)),
        outputs=tensors(list(model.graph.output)),
        queue_delay=_QUEUE_DELAY.get(role, _SHORT_DELAY),
        warmup=(1, most // 2, most),
        warmup_data=_ONE_STEP if role == "refine" else {},
        parameters={"relatent.pack": pack, "relatent.revision": revision},
    )
