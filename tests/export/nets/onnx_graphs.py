"""Graphs of a few nodes, and what ONNX Runtime makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

INPUT, OUTPUT = "x", "y"


def node(kind: str, inputs: Sequence[str], output: str = OUTPUT, **more: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [output], **more)


def graph(
    nodes: Sequence[onnx.NodeProto],
    dims: Sequence[int | str],
    weights: Mapping[str, NDArray[Any]] | None = None,
    opset: int = 18,
    rank: int | None = None,
) -> onnx.ModelProto:
    """A network from `x`, float32, to `y`, of as many axes or of so many."""
    made = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None] * (rank or len(dims)))],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def floats(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def whole(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)
