"""Small image networks in ONNX, as somebody else would have made them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

FREE = "N"


def node(kind: str, inputs: Sequence[str], output: str, **more: Any) -> NodeProto:
    return helper.make_node(kind, list(inputs), [output], **more)


def write(
    path: Path,
    nodes: Sequence[NodeProto],
    dims: Sequence[int | str],
    weights: dict[str, Any] | None = None,
    kind: int = TensorProto.FLOAT,
    outputs: Sequence[str] = ("answer",),
    opset: int = 15,
) -> Path:
    """A network from `picture` to its outputs."""
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info("picture", kind, list(dims))],
        [helper.make_tensor_value_info(output, kind, None) for output in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    model.producer_name = "somebody"
    onnx.save(model, path)
    return path


def write_seen(path: Path, dims: Sequence[int | str], kind: int = TensorProto.FLOAT) -> Path:
    """A network that answers what it is given, number by number."""
    return write(path, [node("Flatten", ["picture"], "answer", axis=1)], dims, kind=kind)


def write_means(path: Path, more: Sequence[NodeProto] = (), **settings: Any) -> Path:
    """A network that answers three numbers, the means of its channels, and what `more` makes of `means`."""
    nodes = [
        node("GlobalAveragePool", ["picture"], "pooled"),
        node("Flatten", ["pooled"], "means" if more else "answer", axis=1),
    ]
    return write(path, [*nodes, *more], (FREE, 3, 8, 8), **settings)
