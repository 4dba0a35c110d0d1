"""The yardstick of arithmetic: a square float32 matrix product, as either side of a comparison does it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from onnx import TensorProto, helper

from relatent_export.compile.onnx import IR_VERSION, OPSET
from relatent_service.engine.sessions import open_session


def matrix_products(side: int) -> dict[str, Callable[[], object]]:
    """The product of two matrices of so many rows, in PyTorch and in ONNX Runtime, on all cores."""
    matrix = np.random.default_rng(0).random((side, side), np.float32)
    tensor = torch.from_numpy(matrix)
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [side, side]) for name in ("a", "b", "c")
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])], "product", values[:2], values[2:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    session = open_session(model.SerializeToString())
    return {
        "matrix_pytorch": lambda: tensor @ tensor,
        "matrix_onnxruntime": lambda: session.run(["c"], {"a": matrix, "b": matrix}),
    }
