"""An ONNX network as a PyTorch module: its nodes, in order, by PyTorch's functions, so that it has gradients.

Networks that others trained come as graphs. To optimise an image or a code against one takes its gradient,
which a runtime of graphs does not give.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as runtime
from torch import Tensor, nn

from relatent_export.nets.onnx_operators import OPERATORS, Value, tensor
from relatent_export.nets.onnx_shapes import HOST, Attributes, Host, is_host, tidy

_APART = 1e-3
"""As far as PyTorch's answers may be from ONNX Runtime's, as a share of the largest: rounding."""
_QUIET = 4
REFUSALS = (
    *(runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph, runtime.InvalidProtobuf),
    *(runtime.NotImplemented, runtime.RuntimeException),
)
"""What ONNX Runtime raises of graphs that it cannot load or run."""
_OWN = ("Constant", "If", "Shape")
"""Operators that the module itself runs."""


@dataclass(frozen=True)
class OnnxNode:
    """A node of a graph, read.

    Attributes:
        name: its own, or its first output's.
        operator: what it computes.
        attributes: by name; `opset` and the number of `outputs` among them.
        inputs: names; empty where one is left out.
        outputs: names.
    """

    name: str
    operator: str
    attributes: Attributes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class OnnxBranch:
    """One of an If's two graphs, read; it sees what is outside of it.

    Attributes:
        nodes: in order.
        outputs: names.
    """

    nodes: tuple[OnnxNode, ...]
    outputs: tuple[str, ...]


class OnnxModule(nn.Module):
    """One output of an ONNX network. Its weights are buffers, so that nothing trains them.

    Args:
        model: of opset 11 to 20, its weights inside and without functions of its own; nodes in an order in
            which they can be run.
        output: which of its outputs.

    Raises:
        ValueError: a node's operator is not one that is known here; names the node and the operator.
    """

    def __init__(self, model: onnx.ModelProto, output: str) -> None:
        super().__init__()
        self.output = output
        self._constants: dict[str, Host] = {}
        self._buffers_of: dict[str, str] = {}
        for weight in model.graph.initializer:
            self._keep(weight.name, numpy_helper.to_array(weight))
        opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        self._nodes = _needed([_read(node, opset) for node in model.graph.node], output)
        for node in _all(self._nodes):
            if node.operator == "Constant":
                self._keep(node.outputs[0], _constant(node.attributes))
            elif node.operator not in (*OPERATORS, *HOST, *_OWN):
                raise ValueError(
                    f"node {node.name}: expected an operator that gradients are taken through here, got "
                    f"{node.operator}; export the network without fused or quantised operators, at opset 17"
                )
        weights = {weight.name for weight in model.graph.initializer}
        self.inputs = tuple(value.name for value in model.graph.input if value.name not in weights)

    def _keep(self, name: str, array: Host) -> None:
        """Whole numbers, which shapes and places are, and single numbers as they are; others as buffers."""
        if array.dtype.kind in "iub" or array.ndim == 0:
            self._constants[name] = array
            return
        self._buffers_of[name] = f"weight_{len(self._buffers_of)}"
        self.register_buffer(self._buffers_of[name], torch.from_numpy(array.copy()))

    def forward(self, *inputs: Tensor) -> Tensor:
        """The network's inputs, in its order, to its output.

        Raises:
            ValueError: a node's inputs are not what its operator is known with; names the node.
        """
        values: dict[str, Value] = dict(zip(self.inputs, inputs, strict=True))
        values |= self._constants
        values |= {name: self.get_buffer(kept) for name, kept in self._buffers_of.items()}
        _run_all(self._nodes, values)
        return tensor(values[self.output])


def _run_all(nodes: Sequence[OnnxNode], values: dict[str, Value]) -> None:
    """Add what nodes compute to what is known."""
    for node in nodes:
        if node.operator == "If":
            branch = _branch(node, values[node.inputs[0]])
            _run_all(branch.nodes, values)
            values |= {name: values[own] for name, own in zip(node.outputs, branch.outputs, strict=True)}
        elif node.operator != "Constant":
            _run(node, values)


def _branch(node: OnnxNode, chosen: Value) -> OnnxBranch:
    if not isinstance(chosen, Tensor):
        branch: OnnxBranch = node.attributes["then_branch" if chosen.item() else "else_branch"]
        return branch
    raise ValueError(f"node {node.name}: If: expected a condition that does not depend on images")


def _run(node: OnnxNode, values: dict[str, Value]) -> None:
    """Add what a node computes to what is known."""
    given = [values[name] if name else None for name in node.inputs]
    while given and given[-1] is None:
        given.pop()
    if node.operator == "Shape":
        values[node.outputs[0]] = _shape(node.attributes, given[0])
        return
    try:
        if node.operator in HOST and is_host(node.operator, given):
            values[node.outputs[0]] = tidy(HOST[node.operator](node.attributes, *given))
            return
        found = OPERATORS.get(node.operator, _needs_host)(node.attributes, *given)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"node {node.name}: {node.operator}: {error or type(error).__name__}") from error
    parts = found if isinstance(found, tuple) else (found,)
    values.update({name: part for name, part in zip(node.outputs, parts, strict=False) if name})


def _needs_host(attributes: Attributes, *given: Value | None) -> Tensor:
    raise ValueError("expected inputs that do not depend on what an image shows")


def checked_module(model: onnx.ModelProto, output: str, example: Tensor) -> OnnxModule:
    """A network as a module, whose answer to an example is ONNX Runtime's.

    Args:
        model: a network of one input.
        output: which of its outputs.
        example: what to hold the two against each other with.

    Raises:
        ValueError: an operator or its attributes are not known here, the network does not run, or the answers
            differ by more than rounding.
    """
    module = OnnxModule(model, output).eval()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
        )
        (expected,) = session.run([output], {module.inputs[0]: example.numpy()})
    except REFUSALS as error:
        raise ValueError(f"it does not run: {str(error).splitlines()[0]}") from error
    try:
        with torch.no_grad():
            found = module(example).numpy()
    except RuntimeError as error:  # PyTorch's own, of shapes and types
        raise ValueError(f"it does not run in PyTorch: {str(error).splitlines()[0]}") from error
    if found.shape != expected.shape:
        raise ValueError(f"expected an output of {list(expected.shape)}, PyTorch has {list(found.shape)}")
    apart = float(np.abs(found - expected).max())
    if not apart <= _APART * float(np.abs(expected).max()):
        raise ValueError(f"expected PyTorch to answer as ONNX Runtime does, they differ by {apart:.3g}")
    return module


def _read(node: onnx.NodeProto, opset: int) -> OnnxNode:
    attributes: dict[str, Any] = {"opset": opset, "outputs": len(node.output)}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, onnx.TensorProto):
            value = numpy_helper.to_array(value)
        elif isinstance(value, onnx.GraphProto):
            value = _read_branch(value, opset)
        attributes[attribute.name] = value
    own = node.domain in ("", "ai.onnx")
    operator = node.op_type if own else f"{node.domain}::{node.op_type}"
    return OnnxNode(node.name or node.output[0], operator, attributes, tuple(node.input), tuple(node.output))


def _read_branch(graph: onnx.GraphProto, opset: int) -> OnnxBranch:
    weights = [
        OnnxNode(each.name, "Constant", {"value": numpy_helper.to_array(each)}, (), (each.name,))
        for each in graph.initializer
    ]
    nodes = (*weights, *(_read(node, opset) for node in graph.node))
    return OnnxBranch(nodes, tuple(value.name for value in graph.output))


def _all(nodes: Sequence[OnnxNode]) -> Iterator[OnnxNode]:
    """Nodes, and those in their branches."""
    for node in nodes:
        yield node
        for branch in node.attributes.values():
            if isinstance(branch, OnnxBranch):
                yield from _all(branch.nodes)


def _needed(nodes: Sequence[OnnxNode], output: str) -> list[OnnxNode]:
    """The nodes that an output depends on."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            wanted.update(*(each.inputs for each in _all([node])), *_outputs_of_branches(node))
            kept.append(node)
    return kept[::-1]


def _outputs_of_branches(node: OnnxNode) -> list[tuple[str, ...]]:
    return [branch.outputs for branch in node.attributes.values() if isinstance(branch, OnnxBranch)]


def _constant(attributes: Mapping[str, Any]) -> Host:
    for name in ("value", "value_int", "value_ints", "value_float", "value_floats"):
        if name in attributes:
            kind = np.float32 if "float" in name else None
            return np.asarray(attributes[name], kind)
    raise ValueError("Constant: expected numbers, got none")


def _shape(attributes: Attributes, value: Value | None) -> Host:
    assert value is not None
    sizes = list(value.shape)[attributes.get("start", 0) : attributes.get("end")]
    return tidy(np.array(sizes, dtype=object))
