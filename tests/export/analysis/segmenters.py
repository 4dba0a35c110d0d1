"""Small segmenters in ONNX, as somebody else would have made them: what of a picture is bright."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests.export.attributes.networks import FREE, node

BRIGHT = 0.8
"""Above it a pixel's channels are, on average, of the class 1; the others are of the class 0."""


def write_segmenter(path: Path, kind: str = "scores", side: int = 32) -> Path:
    """A network from pictures in [0, 1] to what `kind` names.

    `scores` [B, 2, H, W], `last` [B, H, W, 2], `map` [B, H, W], `thick` [B, 1, H, W], `grey` [B, H, W] of
    brightness itself, `single` [1, 2, H, W], or `answer` [B, 2] for whole pictures.
    """
    weights = np.stack([np.zeros(3), np.full(3, 1 / 3)]).astype(np.float32)[:, :, None, None]
    arrays = {"kernel": weights, "offset": np.array([BRIGHT, 0], np.float32), "one": np.array([1])}
    arrays["shape"] = np.array([1, 2, side, side])
    scored = node("Conv", ["picture", "kernel", "offset"], "scores", kernel_shape=[1, 1])
    more: dict[str, list[NodeProto]] = {
        "scores": [],
        "last": [node("Transpose", ["scores"], "last", perm=[0, 2, 3, 1])],
        "map": [node("ArgMax", ["scores"], "map", axis=1, keepdims=0)],
        "thick": [node("ArgMax", ["scores"], "thick", axis=1, keepdims=1)],
        "grey": [
            node("Gather", ["scores", "one"], "bright", axis=1),
            node("Squeeze", ["bright", "one"], "grey"),
        ],
        "single": [node("Reshape", ["scores", "shape"], "single")],
        "answer": [
            node("GlobalAveragePool", ["scores"], "pooled"),
            node("Flatten", ["pooled"], "answer", axis=1),
        ],
    }
    numbers = TensorProto.INT64 if kind in ("map", "thick") else TensorProto.FLOAT
    graph = helper.make_graph(
        [scored, *more[kind]],
        "segmenter",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [FREE, 3, side, side])],
        [helper.make_tensor_value_info(kind, numbers, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), path)
    return path
