"""Triton's model configurations as graphs, and what may be given to a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tritonclient.grpc import model_config_pb2 as triton
from tritonclient.utils import triton_to_np_dtype

from relatent.core.graphs import PACK
from relatent_service.engine.engine import Array, EngineRejected, Graph, TensorSpec

FREE = -1


def graph_of(config: triton.ModelConfig) -> Graph | None:
    """Read a model's configuration; None for a model that belongs to no pack."""
    if PACK not in config.parameters:
        return None
    return Graph(
        name=config.name,
        max_batch=config.max_batch_size,
        inputs=_specs(config.input),
        outputs=_specs(config.output),
        parameters={key: value.string_value for key, value in config.parameters.items()},
    )


def _specs(tensors: Sequence[Any]) -> dict[str, TensorSpec]:
    return {tensor.name: TensorSpec(_dtype(tensor.data_type), tuple(tensor.dims)) for tensor in tensors}


def _dtype(value: triton.DataType.ValueType) -> np.dtype[Any]:
    return np.dtype(triton_to_np_dtype(triton.DataType.Name(value).removeprefix("TYPE_")))


def size_of(tensor: Any) -> int:
    """Bytes of a configured input or output, of one sample; axes of any length count as 1."""
    numbers: int = math.prod(max(1, side) for side in tensor.dims)
    return _dtype(tensor.data_type).itemsize * numbers


def find_graph(graphs: Mapping[str, Graph], name: str) -> Graph:
    """Look a graph up.

    Raises:
        EngineRejected: there is none of that name.
    """
    if name not in graphs:
        raise EngineRejected(f"no graph {name!r}; there are: {', '.join(sorted(graphs)) or 'none'}")
    return graphs[name]


def check_inputs(graph: Graph, inputs: Mapping[str, Array]) -> None:
    """Check that a graph can be run on arrays.

    Raises:
        EngineRejected: an input is missing, unknown, or not of its dtype and shape; or the arrays differ in
            batch size, or it is not between 1 and the graph's limit.
    """
    if inputs.keys() != graph.inputs.keys():
        expected, got = sorted(graph.inputs), sorted(inputs)
        raise EngineRejected(f"{graph.name}: expected inputs {expected}, got {got}")
    for name, spec in graph.inputs.items():
        array = inputs[name]
        fits = array.ndim == len(spec.shape) + 1 and all(
            side in (FREE, length) for side, length in zip(spec.shape, array.shape[1:], strict=True)
        )
        if array.dtype != spec.dtype or not fits:
            wanted = f"{spec.dtype} [batch{''.join(f', {side}' for side in spec.shape)}]"
            raise EngineRejected(
                f"{graph.name}: {name}: expected {wanted}, got {array.dtype} {list(array.shape)}"
            )
    batches = {name: len(array) for name, array in inputs.items()}
    if len(set(batches.values())) > 1:
        raise EngineRejected(f"{graph.name}: expected one batch size, got {batches}")
    for batch in set(batches.values()):
        if not 1 <= batch <= graph.max_batch:
            raise EngineRejected(f"{graph.name}: expected a batch of 1 to {graph.max_batch}, got {batch}")
