"""From adapted networks to a pack's one graph: of each the numbers that are wanted, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from relatent_export.attributes.adapting import BATCH, converted
from relatent_export.attributes.graphs import IMAGE, READINGS


def take(model: onnx.ModelProto, indices: Sequence[int]) -> onnx.ModelProto:
    """Keep some of an adapted graph's numbers, in an order; the model is changed."""
    last = next(node for node in model.graph.node if READINGS in node.output)
    last.output[list(last.output).index(READINGS)] = "adapt/all"
    model.graph.initializer.append(numpy_helper.from_array(np.array(indices), "adapt/taken"))
    model.graph.node.append(helper.make_node("Gather", ["adapt/all", "adapt/taken"], [READINGS], axis=1))
    _fix_count(model.graph, len(indices))
    return model


def join(models: Sequence[onnx.ModelProto]) -> onnx.ModelProto:
    """Make one graph of several that read the same images: their numbers one after the other.

    Args:
        models: adapted graphs of which it is known how many numbers they answer (`take`).

    Raises:
        ValueError: they are of several opsets, and cannot be brought to the latest of these.
    """
    if len(models) == 1:
        return models[0]
    versions = [opset_of(model) for model in models]
    graphs, domains = [], {}
    for place, (model, version) in enumerate(zip(models, versions, strict=True)):
        if version < max(versions):
            model = converted(model, max(versions))
        domains.update({entry.domain: entry for entry in model.opset_import})
        graphs.append(compose.add_prefix(model, f"{place}/").graph)
    nodes = [helper.make_node("Identity", [IMAGE], [graph.input[0].name]) for graph in graphs]
    nodes += [node for graph in graphs for node in graph.node]
    nodes.append(helper.make_node("Concat", [graph.output[0].name for graph in graphs], [READINGS], axis=1))
    joined = helper.make_graph(
        nodes,
        READINGS,
        list(models[0].graph.input),
        list(models[0].graph.output),
        [weight for graph in graphs for weight in graph.initializer],
    )
    joined.sparse_initializer.extend(each for graph in graphs for each in graph.sparse_initializer)
    _fix_count(joined, sum(_count(model.graph) for model in models))
    ir_version = max(model.ir_version for model in models)
    return helper.make_model(joined, opset_imports=list(domains.values()), ir_version=ir_version)


def opset_of(model: onnx.ModelProto) -> int:
    """Of ONNX's own operators."""
    return next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _count(graph: onnx.GraphProto) -> int:
    return int(graph.output[0].type.tensor_type.shape.dim[1].dim_value)


def _fix_count(graph: onnx.GraphProto, count: int) -> None:
    graph.output[0].CopyFrom(helper.make_tensor_value_info(READINGS, TensorProto.FLOAT, [BATCH, count]))
