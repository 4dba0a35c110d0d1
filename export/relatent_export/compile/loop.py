"""From one optimiser step to K of them in one graph.

Two forms of the same thing. `loop`: an ONNX Loop whose trip count is the largest `steps` of the
batch, for the CPU and CUDA providers. `unroll`: the step's nodes repeated K times, for TensorRT,
whose Loop runs one iteration too many (onnxruntime issue 13894).
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from relatent_export.compile.onnx import IR_VERSION, OPSET
from relatent_export.compile.step import TracedStep


class Iterate(StrEnum):
    """How a graph does several steps."""

    LOOP = "loop"
    UNROLL = "unroll"


def assemble(traced: TracedStep, max_steps: int, iterate: Iterate) -> onnx.ModelProto:
    """Build the refinement graph.

    Args:
        traced: one step and its preparation.
        max_steps: K, most steps of one call.
        iterate: in a Loop or unrolled.

    Returns:
        A model with inputs `state.*`, the conditions, `steps` int32 [B, 1] and `learning_rate`
        float32 [B, 1], and outputs `next.*` and `losses` float32 [B, K], unused places NaN.
    """
    if max_steps < 1:
        raise ValueError(f"max_steps: expected at least 1, got {max_steps}")
    prepare = _prefixed(traced.prepare.graph, "prepare/")
    step = traced.step.graph
    nodes = list(prepare.node)
    initializers = list(prepare.initializer)
    if iterate is Iterate.LOOP:
        nodes += _loop(traced, max_steps, initializers)
    else:
        initializers += step.initializer
        nodes += _unroll(traced, max_steps, initializers)
    for name in traced.signature.carried:
        nodes.append(helper.make_node("Identity", [f"state.{name}"], [f"next.{name}"]))
    graph = helper.make_graph(
        nodes, "refine", _inputs(traced), _outputs(traced, max_steps), initializer=initializers
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="relatent"
    )
    onnx.checker.check_model(model)
    return model


def _inputs(traced: TracedStep) -> list[onnx.ValueInfoProto]:
    """The step's inputs but `iteration` and what is prepared; then what only `prepare` reads."""
    step = [
        v for v in traced.step.graph.input if v.name != "iteration" and not v.name.startswith("prepared.")
    ]
    return step + list(traced.prepare.graph.input)


def _outputs(traced: TracedStep, max_steps: int) -> list[onnx.ValueInfoProto]:
    state = [v for v in traced.step.graph.output if v.name != "loss"]
    inputs = {v.name: v for v in traced.step.graph.input}
    carried = [_like(inputs[f"state.{name}"], f"next.{name}") for name in traced.signature.carried]
    return [
        *state,
        *carried,
        helper.make_tensor_value_info("losses", TensorProto.FLOAT, ["batch", max_steps]),
    ]


def _loop(traced: TracedStep, max_steps: int, initializers: list[onnx.TensorProto]) -> list[onnx.NodeProto]:
    state = list(traced.signature.state)
    step = traced.step.graph
    values = {v.name: v for v in (*step.input, *step.output)}
    # Inside the body the state has names of its own; conditions are seen through from outside. The
    # weights live inside: ONNX Runtime lays out no convolution anew whose weight is an outer one,
    # and runs it a third slower.
    rename = {f"state.{name}": f"body/state.{name}" for name in state}
    rename |= {f"next.{name}": f"body/next.{name}" for name in state}
    rename |= {"loss": "body/loss", "iteration": "body/iteration"}
    body_nodes = [_renamed(node, rename) for node in step.node]
    body_nodes.append(helper.make_node("Identity", ["body/go_on"], ["body/going_on"]))
    body = helper.make_graph(
        body_nodes,
        "step",
        [
            _value("body/iteration", TensorProto.INT64, []),
            _value("body/go_on", TensorProto.BOOL, []),
            *(_like(values[f"state.{name}"], f"body/state.{name}") for name in state),
        ],
        [
            _value("body/going_on", TensorProto.BOOL, []),
            *(_like(values[f"next.{name}"], f"body/next.{name}") for name in state),
            _like(values["loss"], "body/loss"),
        ],
        initializer=step.initializer,
    )
    initializers += [
        numpy_helper.from_array(np.array(True), "always"),
        numpy_helper.from_array(np.array(1, np.int32), "one"),
        numpy_helper.from_array(np.array([max_steps], np.int64), "max_steps"),
        numpy_helper.from_array(np.array(max_steps, np.int32), "max_trips"),
        numpy_helper.from_array(np.array([0, 0, 0], np.int64), "no_padding"),
        numpy_helper.from_array(np.array(np.nan, np.float32), "nan"),
    ]
    return [
        helper.make_node("ReduceMax", ["steps"], ["most_steps"], keepdims=0),
        # At least one iteration: with none, the losses would lose their batch axis.
        helper.make_node("Max", ["most_steps", "one"], ["trips_32"]),
        helper.make_node("Min", ["trips_32", "max_trips"], ["trips_bounded"]),
        helper.make_node("Cast", ["trips_bounded"], ["trips"], to=TensorProto.INT64),
        helper.make_node(
            "Loop",
            ["trips", "always", *(f"state.{name}" for name in state)],
            [*(f"next.{name}" for name in state), "losses_by_step"],
            body=body,
        ),
        helper.make_node("Transpose", ["losses_by_step"], ["losses_done"], perm=[1, 0]),
        helper.make_node("Shape", ["losses_by_step"], ["done"], start=0, end=1),
        helper.make_node("Sub", ["max_steps", "done"], ["left"]),
        helper.make_node("Concat", ["no_padding", "left"], ["padding"], axis=0),
        helper.make_node("Pad", ["losses_done", "padding", "nan"], ["losses"]),
    ]


def _unroll(traced: TracedStep, max_steps: int, initializers: list[onnx.TensorProto]) -> list[onnx.NodeProto]:
    state = list(traced.signature.state)
    weights = {tensor.name for tensor in traced.step.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for k in range(max_steps):
        initializers.append(numpy_helper.from_array(np.array(k, np.int64), f"iteration_{k}"))
        last = k == max_steps - 1
        rename = {"iteration": f"iteration_{k}", "loss": f"loss_{k}"}
        for name in state:
            rename[f"state.{name}"] = f"state.{name}" if k == 0 else f"step_{k}/state.{name}"
            rename[f"next.{name}"] = f"next.{name}" if last else f"step_{k + 1}/state.{name}"
        for node in traced.step.graph.node:
            for output in node.output:
                if output not in rename and output not in weights:
                    rename[output] = f"step_{k}/{output}"
            nodes.append(_renamed(node, rename))
            nodes[-1].name = f"step_{k}/{node.name}"
        nodes.append(helper.make_node("Unsqueeze", [f"loss_{k}", "axis_1"], [f"loss_{k}_column"]))
    initializers.append(numpy_helper.from_array(np.array([1], np.int64), "axis_1"))
    columns = [f"loss_{k}_column" for k in range(max_steps)]
    return [*nodes, helper.make_node("Concat", columns, ["losses"], axis=1)]


def _renamed(node: onnx.NodeProto, rename: dict[str, str]) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [rename.get(name, name) for name in node.input]
    copy.output[:] = [rename.get(name, name) for name in node.output]
    return copy


def _prefixed(graph: onnx.GraphProto, prefix: str) -> onnx.GraphProto:
    """A copy whose inner names cannot clash with the step's; its inputs and outputs keep theirs."""
    outside = {v.name for v in (*graph.input, *graph.output)}
    inner = {t.name for t in graph.initializer} | {n for node in graph.node for n in node.output}
    rename = {name: prefix + name for name in inner - outside}
    copy = onnx.GraphProto()
    copy.CopyFrom(graph)
    for tensor in copy.initializer:
        tensor.name = rename.get(tensor.name, tensor.name)
    renamed = [_renamed(node, rename) for node in graph.node]
    for node in renamed:
        node.name = prefix + node.name
    del copy.node[:]
    copy.node.extend(renamed)
    return copy


def _value(name: str, dtype: int, shape: list[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def _like(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    copy.name = name
    return copy
