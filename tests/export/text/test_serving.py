"""The text encoder of a pair as a graph that Triton serves."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from relatent_export.attributes.trying import open_session
from relatent_export.nets.image_text import IDS, MASK, TEXT_EMBEDS, ImageText
from relatent_export.text.serving import text_graph

CONTEXT, WIDTH, WORDS = 5, 3, 7
TABLE = np.random.default_rng(0).normal(size=(WORDS, WIDTH)).astype(np.float32)


def pair(kind: int, *, masked: bool) -> ImageText:
    """A text encoder that adds up its words' vectors; an inner tensor is called as our output is."""
    inputs = [helper.make_tensor_value_info(IDS, kind, ["n", CONTEXT])]
    nodes = [helper.make_node("Gather", ["table", IDS], ["embedding"])]
    summed = "embedding"
    if masked:
        inputs.append(helper.make_tensor_value_info(MASK, kind, ["n", CONTEXT]))
        nodes += [
            helper.make_node("Cast", [MASK], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
            helper.make_node("Mul", ["embedding", "column"], ["kept"]),
        ]
        summed = "kept"
    nodes.append(helper.make_node("ReduceSum", [summed, "axis"], [TEXT_EMBEDS], keepdims=0))
    weights = {"table": TABLE, "axis": np.array([1]), "last": np.array([-1])}
    graph = helper.make_graph(
        nodes,
        "encoder",
        inputs,
        [helper.make_tensor_value_info(TEXT_EMBEDS, TensorProto.FLOAT, ["n", WIDTH])],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    one = (0.5, 0.5, 0.5)
    return ImageText(b"", model.SerializeToString(), "", 32, one, one, CONTEXT, 0, WIDTH)


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32])
@pytest.mark.parametrize("masked", [True, False])
def test_every_encoder_is_served_under_the_same_names(kind: int, masked: bool) -> None:
    graph = text_graph(pair(kind, masked=masked))
    onnx.checker.check_model(graph)
    assert [value.name for value in graph.graph.input] == ["ids", "mask"]
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 1, 2]])
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    (found,) = open_session(graph).run(["embedding"], {"ids": ids, "mask": mask})
    expected = TABLE[ids] * (mask[:, :, None] if masked else 1)
    np.testing.assert_allclose(found, expected.sum(1), rtol=1e-5)
