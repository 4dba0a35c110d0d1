"""Fitting a graph to TensorRT, which takes whole graphs or leaves nodes to others.

A graph that falls into parts cannot be loaded with our shape profiles: these name the graph's inputs,
and the provider asks for those of each part. So every node must be one that TensorRT takes.
"""

from __future__ import annotations

import math

import onnx
from onnx import TensorProto, helper

_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16})
_NUMBERS = _FLOATS | {TensorProto.INT32, TensorProto.INT64}
_ANY = _NUMBERS | {TensorProto.BOOL}

# docs/operators.md of onnx/onnx-tensorrt for TensorRT 10.15, opsets 9 to 24, those that our graphs use;
# every one was in that of TensorRT 8.5 as well, but for INT64, which it took for INT32.
OPERATORS = {
    **dict.fromkeys(
        ("Abs", "Add", "Div", "Max", "Min", "Mul", "Neg", "Pow", "Range", "Sign", "Sub"), _NUMBERS
    ),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum", "Relu", "ScatterND", "Pad"), _NUMBERS),
    **dict.fromkeys(("ConstantOfShape", "DepthToSpace"), _NUMBERS),
    **dict.fromkeys(("BatchNormalization", "Conv", "ConvTranspose", "Gemm", "MatMul", "MaxPool"), _FLOATS),
    **dict.fromkeys(("Clip", "LeakyRelu", "PRelu", "Round", "Sigmoid", "Tanh"), _FLOATS),
    **dict.fromkeys(("Exp", "Log", "Reciprocal", "Sqrt"), _FLOATS),
    **dict.fromkeys(("Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Slice"), _ANY),
    **dict.fromkeys(("Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Where"), _ANY),
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), _ANY),
    **dict.fromkeys(("And", "Not", "Or"), frozenset({TensorProto.BOOL})),
    "Cast": _ANY | {TensorProto.UINT8},
}
"""Operators that TensorRT takes, and the types it takes them in."""

_LAYOUT = ("Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that move numbers and do not look at them."""

_SMALL = 64
"""Numbers in a constant that may be a shape."""


class Unsupported(ValueError):
    """A graph holds what TensorRT does not take."""


def fit(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Cast bytes right at a graph's inputs and outputs: TensorRT takes them nowhere else.

    Args:
        model: the graph.
        name: what errors call it.

    Returns:
        The model, changed.

    Raises:
        Unsupported: a node is none that TensorRT takes.
    """
    graph = model.graph
    del graph.value_info[:]  # types that change
    for value in graph.input:
        if value.type.tensor_type.elem_type == TensorProto.UINT8:
            _cast_input(graph, value.name)
    for value in graph.output:
        if value.type.tensor_type.elem_type == TensorProto.UINT8:
            _cast_output(graph, value.name, name)
    check(model, name)
    return model


def check(model: onnx.ModelProto, name: str) -> None:
    """Check that TensorRT takes every node of a graph.

    Args:
        model: the graph.
        name: what errors call it.

    Raises:
        Unsupported: it does not; the message names operators and types.
    """
    graph = onnx.shape_inference.infer_shapes(_without_weights(model), strict_mode=True).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    refused = set()
    for node in graph.node:
        taken = OPERATORS.get(node.op_type, frozenset())
        for tensor in filter(None, (*node.input, *node.output)):
            if node.domain not in ("", "ai.onnx") or types[tensor] not in taken:
                refused.add(f"{node.op_type} of {TensorProto.DataType.Name(types[tensor])}")
    if refused:
        raise Unsupported(f"{name}: TensorRT does not take {', '.join(sorted(refused))}")


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model with inputs in place of large constants: inference of types copies all that it is given."""
    graph = onnx.GraphProto(name=model.graph.name)
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            graph.initializer.append(tensor)
        else:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _cast_input(graph: onnx.GraphProto, name: str) -> None:
    """Let every reader of an input read its numbers as float32."""
    cast = f"{name}/float"
    for node in graph.node:
        node.input[:] = [cast if read == name else read for read in node.input]
    graph.node.insert(0, helper.make_node("Cast", [name], [cast], name=f"{cast}/cast", to=TensorProto.FLOAT))


def _cast_output(graph: onnx.GraphProto, output: str, model: str) -> None:
    """Move the cast to bytes behind what only moves them."""
    makers = {made: node for node in graph.node for made in node.output}
    node = makers[output]
    while node.op_type in _LAYOUT:
        node = makers[node.input[0]]
    if node.op_type != "Cast":
        raise Unsupported(f"{model}: output {output}: expected a cast to bytes, got {node.op_type}")
    node.attribute[0].i = TensorProto.FLOAT
    whole = f"{output}/float"
    makers[output].output[:] = [whole]
    graph.node.append(helper.make_node("Cast", [whole], [output], name=f"{whole}/cast", to=TensorProto.UINT8))
