"""The text encoder of a pair as a pack's graph `text` (`relatent.core.graphs`)."""

from __future__ import annotations

import onnx
from onnx import TensorProto, compose, helper

from relatent_export.attributes.adapting import BATCH
from relatent_export.compile.onnx import clean
from relatent_export.nets.image_text import IDS, MASK, TEXT_EMBEDS, ImageText

_GIVEN = {IDS: "ids", MASK: "mask"}
_EMBEDDING, _PREFIX = "embedding", "encoder/"


def text_graph(pair: ImageText) -> onnx.ModelProto:
    """The graph: `ids` and `mask`, int64 [B, T], to `embedding`, float32 [B, E].

    A mask is taken even where the encoder does not look at it: every pack's graph is called alike.
    """
    # The encoder's own names could be ours.
    model = compose.add_prefix(onnx.ModelProto.FromString(pair.text), _PREFIX)
    graph = model.graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    nodes = [
        helper.make_node("Cast", [ours], [_PREFIX + theirs], to=kinds[_PREFIX + theirs])
        for theirs, ours in _GIVEN.items()
        if _PREFIX + theirs in kinds
    ]
    given = [
        helper.make_tensor_value_info(ours, TensorProto.INT64, [BATCH, pair.context])
        for ours in _GIVEN.values()
    ]
    last = helper.make_node("Identity", [_PREFIX + TEXT_EMBEDS], [_EMBEDDING])
    if graph.output[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        last = helper.make_node("Cast", [_PREFIX + TEXT_EMBEDS], [_EMBEDDING], to=TensorProto.FLOAT)
    made = helper.make_tensor_value_info(_EMBEDDING, TensorProto.FLOAT, [BATCH, pair.width])
    whole = helper.make_graph([*nodes, *graph.node, last], "text", given, [made], [*graph.initializer])
    served = helper.make_model(whole, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    return clean(served)
