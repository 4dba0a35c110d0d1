"""What a graph is run on before its engine counts as ready."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tritonclient.grpc import model_config_pb2 as triton

from relatent_service.engine.engine import Array, EngineUnavailable, Graph
from relatent_service.engine.graphs import FREE

FOLDER = "warmup"
"""Triton's own name for where the files lie."""


def warmup_sample(config: triton.ModelConfig, graph: Graph, folder: Path) -> dict[str, Array]:
    """One sample of what Triton would warm a model up with.

    Args:
        config: the model's; of its `model_warmup`, the data files count, and everything else is zeros.
        graph: the same, read.
        folder: the model's.

    Returns:
        One array an input, of batch size 1.

    Raises:
        EngineUnavailable: a data file cannot be read, or holds another number of bytes.
    """
    sample: dict[str, Array] = {
        name: np.zeros([1, *(1 if side == FREE else side for side in spec.shape)], spec.dtype)
        for name, spec in graph.inputs.items()
    }
    for warmup in config.model_warmup[:1]:
        for name, data in warmup.inputs.items():
            if data.input_data_file and name in sample:
                sample[name] = _read(folder / FOLDER / data.input_data_file, sample[name])
    return sample


def _read(path: Path, like: Array) -> Array:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EngineUnavailable(f"{path}: {error.strerror}, and the warm-up needs it") from error
    if len(data) != like.nbytes:
        raise EngineUnavailable(f"{path}: expected {like.nbytes} bytes, got {len(data)}")
    return np.frombuffer(data, like.dtype).reshape(like.shape)
