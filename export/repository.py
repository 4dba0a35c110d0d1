"""Writing a Triton model repository: one folder a graph, with its configuration."""

from __future__ import annotations

from pathlib import Path

import onnx
from tqdm import tqdm

from export.graphs import MAX_STEPS, build_graphs
from export.iterate import Iterate
from export.model_config import ModelConfig, tensors
from export.networks import Networks, load_networks
from export.onnx_export import save_graph
from relatent.pack import read_pack

_MAX_BATCH = 16
_GRAPHS = 6

_QUEUE_DELAY = {"refine": 4_000}
"""Microseconds a batch waits to fill. A refinement call takes hundreds of milliseconds: a few are
well spent on company."""

_SHORT_DELAY = 1_000


class RevisionMismatch(ValueError):
    """A pack's manifest names another revision than its weights have."""


def write_repository(pack: Path, into: Path, iterate: Iterate = Iterate.LOOP) -> list[Path]:
    """Export a pack's graphs into a model repository. The same pack gives the same bytes.

    Args:
        pack: the pack's folder, with manifest and weights.
        into: the model repository; other packs' models in it are left alone.
        iterate: how refinement does its steps.

    Returns:
        The models' folders.

    Raises:
        RevisionMismatch: the manifest's revision is not that of the weights.
    """
    manifest, networks = read_pack(pack), load_networks(pack)
    if manifest.revision != networks.revision:
        raise RevisionMismatch(
            f"{pack}: revision: the manifest says {manifest.revision}, the weights have {networks.revision}"
        )
    return write_models(manifest.name, networks, into, iterate)


def write_models(name: str, networks: Networks, into: Path, iterate: Iterate = Iterate.LOOP) -> list[Path]:
    """Export networks as the models of a pack called `name`."""
    folders = []
    graphs = build_graphs(networks, iterate, MAX_STEPS)
    for role, model in tqdm(graphs, f"exporting {name}", total=_GRAPHS, unit="graph"):
        folder = into / f"{name}_{role}"
        save_graph(model, folder / "1" / "model.onnx")
        config = _config(name, role, model, networks.revision)
        (folder / "config.pbtxt").write_text(config.to_text())
        folders.append(folder)
    return folders


def _config(pack: str, role: str, model: onnx.ModelProto, revision: str) -> ModelConfig:
    return ModelConfig(
        name=f"{pack}_{role}",
        max_batch=_MAX_BATCH,
        inputs=tensors(list(model.graph.input)),
        outputs=tensors(list(model.graph.output)),
        queue_delay=_QUEUE_DELAY.get(role, _SHORT_DELAY),
        warmup=(1, _MAX_BATCH // 2, _MAX_BATCH),
        parameters={"relatent.pack": pack, "relatent.revision": revision},
    )
