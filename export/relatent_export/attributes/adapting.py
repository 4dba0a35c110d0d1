"""From any image network to one that reads a generator's images: what goes before and after is in the graph.

Operators are those that every runtime has: an image is made smaller by whole factors by an average of its
pixels, and to any other size by two products with matrices of weights, which needs no opset's own resizing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, inliner, numpy_helper, version_converter

from relatent_export.attributes.graphs import IMAGE, READINGS, read_graph
from relatent_export.attributes.network import Activation, Colour, ImageNetwork, Layout
from relatent_export.compile.onnx import IR_VERSION, OPSET

BATCH = "batch"

_OLDEST = 13
"""Opset from which on operators are as they are used here; networks of an older one are converted."""
_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as all picture libraries make grey."""
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)


@dataclass(frozen=True)
class NetworkInput:
    """What a network takes.

    Attributes:
        name: of the graph's input.
        kind: of its numbers, as ONNX counts types.
        layout: where its channels are.
        size: height and width.
    """

    name: str
    kind: int
    layout: Layout
    size: tuple[int, int]


def adapt(network: ImageNetwork, resolution: int, flat: bool = True) -> onnx.ModelProto:
    """Make a graph that reads a generator's images with a network, all numbers of its output.

    Args:
        network: what to read with.
        resolution: the images' height and width, R.
        flat: make a row of an image's numbers; if not, they stay in the output's own shape, without the
            network's activation.

    Returns:
        uint8 [B, R, R, 3] `image` to float32 [B, N] `attributes`, or [B, ...]. Whether the network has a free
        batch axis shows when it is run (`relatent_export.attributes.trying`).

    Raises:
        ValueError: the graph is none that reads images as the network's description has it; names the
            description and the key, or the graph.
        OSError: the graph cannot be read; names it.
    """
    model = _prepared(network)
    taken = _input(network, model.graph)
    output = _output(network, model.graph)
    parts = _Parts()
    _before(parts, network, taken, resolution)
    parts.nodes += model.graph.node
    parts.weights += model.graph.initializer
    if flat:
        _after(parts, network, output)
    else:
        parts.last = output
        parts.add("Cast", to=TensorProto.FLOAT, into=READINGS)
    image = helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, [BATCH, resolution, resolution, 3])
    shape = [BATCH, None] if flat else None
    readings = helper.make_tensor_value_info(READINGS, TensorProto.FLOAT, shape)
    graph = helper.make_graph(parts.nodes, READINGS, [image], [readings], parts.weights)
    graph.sparse_initializer.extend(model.graph.sparse_initializer)
    return helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=max(IR_VERSION, model.ir_version)
    )


def _prepared(network: ImageNetwork) -> onnx.ModelProto:
    """The network's graph: of an opset that is used here, without functions, its names apart from ours."""
    model = read_graph(network.file)
    if model.functions:
        model = inliner.inline_local_functions(model)
    own = {entry.domain: entry.version for entry in model.opset_import}
    version = own.get("", own.get("ai.onnx", 0))
    if version < _OLDEST:
        model = converted(model, OPSET, f"{network.file}: ")
    del model.graph.value_info[:]  # shapes that may fix a batch of one
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return compose.add_prefix(model, "network/")


def converted(model: onnx.ModelProto, opset: int, where: str = "") -> onnx.ModelProto:
    """A model of a later opset.

    Raises:
        ValueError: it cannot be converted; begins with `where`.
    """
    try:
        return version_converter.convert_version(model, opset)
    except Exception as error:  # C++'s own, of whatever kind
        reason = str(error).splitlines()[0]
        raise ValueError(f"{where}expected a graph that opset {opset} can be made of: {reason}") from error


def _input(network: ImageNetwork, graph: onnx.GraphProto) -> NetworkInput:
    if len(graph.input) != 1:
        names = ", ".join(_own(value.name) for value in graph.input) or "none"
        raise ValueError(f"{network.file}: expected one input, images, got {names}")
    (value,) = graph.input
    kind = value.type.tensor_type.elem_type
    if kind == TensorProto.UINT8:
        return _bytes_input(network, value)
    if kind not in _FLOATS:
        got = TensorProto.DataType.Name(kind)
        raise ValueError(f"{network.file}: {_own(value.name)}: expected an input of floats, got {got}")
    dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]  # 0 where it is free
    if len(dims) != 4:
        raise ValueError(f"{network.file}: {_own(value.name)}: expected an input of 4 axes, got {dims}")
    layout = network.layout
    if layout is None:
        fits = [dims[1] == network.channels, dims[3] == network.channels]
        if fits.count(True) != 1:
            raise network.wrong("layout", f"NCHW or NHWC, which the input's shape {dims} does not tell", None)
        layout = Layout.NCHW if fits[0] else Layout.NHWC
    channels, *sides = (dims[1], *dims[2:]) if layout is Layout.NCHW else (dims[3], *dims[1:3])
    if channels not in (0, network.channels):
        raise network.wrong("colour", f"one of {channels} channels, as the input has", str(network.colour))
    size = network.size or (sides[0], sides[1])
    if 0 in size:
        raise network.wrong("size", "a height and a width, which the graph leaves open", None)
    if any(fixed not in (0, side) for fixed, side in zip(sides, size, strict=True)):
        raise network.wrong("size", f"{sides}, as the graph fixes it", list(size))
    return NetworkInput(value.name, kind, layout, size)


def _bytes_input(network: ImageNetwork, value: onnx.ValueInfoProto) -> NetworkInput:
    """Of a network that takes a generator's bytes as they are, as a pack's own graphs do."""
    plain = ImageNetwork(network.file)
    for key in ("colour", "low", "high", "mean", "std"):
        if getattr(network, key) != getattr(plain, key):
            said = {"low": "range", "high": "range"}.get(key, key)
            raise network.wrong(said, "none of a network that takes bytes", getattr(network, key))
    dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    if len(dims) != 4 or dims[3] != 3 or 0 in dims[1:]:
        raise ValueError(f"{network.file}: {_own(value.name)}: expected bytes [B, R, R, 3], got {dims}")
    return NetworkInput(value.name, TensorProto.UINT8, Layout.NHWC, (dims[1], dims[2]))


def _output(network: ImageNetwork, graph: onnx.GraphProto) -> str:
    names = [_own(value.name) for value in graph.output]
    if not network.output and len(names) > 1:
        raise network.wrong("output", f"one of {', '.join(names)}", None)
    if network.output and network.output not in names:
        raise network.wrong("output", f"one of {', '.join(names)}", network.output)
    return graph.output[names.index(network.output or names[0])].name


def _own(name: str) -> str:
    """A name as the network's own graph has it."""
    return name.removeprefix("network/")


@dataclass
class _Parts:
    """Nodes one after the other, each of the last one's output, and their weights."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[TensorProto] = field(default_factory=list)
    last: str = IMAGE

    def add(self, kind: str, *weights: NDArray[Any], first: bool = True, into: str = "", **more: Any) -> None:
        """Add a node; its weights come after what it is of, or before."""
        names = []
        for weight in weights:
            names.append(f"adapt/weight_{len(self.weights)}")
            self.weights.append(numpy_helper.from_array(weight, names[-1]))
        inputs = [self.last, *names] if first else [*names, self.last]
        name = into or f"adapt/{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **more))
        self.last = name


def _before(parts: _Parts, network: ImageNetwork, taken: NetworkInput, resolution: int) -> None:
    """From bytes to what the network takes."""
    if taken.kind == TensorProto.UINT8:
        if taken.size != (resolution, resolution):
            sides = [resolution, resolution]
            raise network.wrong("size", f"{sides}, as the generator's images have it", list(taken.size))
        parts.add("Identity", into=taken.name)
        return
    parts.add("Cast", to=TensorProto.FLOAT)
    if network.colour is Colour.BGR:
        parts.add("Gather", np.array([2, 1, 0]), axis=3)
    elif network.colour is Colour.GREY:
        parts.add("MatMul", np.array(_LUMA, np.float32)[:, None])
    parts.add("Transpose", perm=[0, 3, 1, 2])
    height, width = taken.size
    if resolution % height == 0 and resolution % width == 0:
        windows = [resolution // height, resolution // width]
        if max(windows) > 1:
            parts.add("AveragePool", kernel_shape=windows, strides=windows)
    else:
        parts.add("MatMul", resizing(resolution, height), first=False)
        parts.add("MatMul", np.ascontiguousarray(resizing(resolution, width).T))
    mean, std = np.array(network.mean), np.array(network.std)
    for kind, numbers in (
        ("Mul", (network.high - network.low) / 255 / std),
        ("Add", (network.low - mean) / std),
    ):
        parts.add(kind, numbers.astype(np.float32).reshape(1, -1, 1, 1))
    if taken.layout is Layout.NHWC:
        parts.add("Transpose", perm=[0, 2, 3, 1])
    parts.add("Cast", to=taken.kind, into=taken.name)


def _after(parts: _Parts, network: ImageNetwork, output: str) -> None:
    """From the network's output to a row of numbers an image."""
    parts.last = output
    parts.add("Cast", to=TensorProto.FLOAT)
    if network.activation is Activation.NONE:
        parts.add("Flatten", axis=1, into=READINGS)
        return
    parts.add("Flatten", axis=1)
    if network.activation is Activation.SIGMOID:
        parts.add("Sigmoid", into=READINGS)
    else:
        parts.add("Softmax", axis=1, into=READINGS)


def resizing(size: int, wanted: int) -> NDArray[np.float32]:
    """Weights of a line's pixels in those of a line of another length, float32 [wanted, size].

    Linear between pixels' middles; where the line gets shorter, over as many more as it does, so that none is
    skipped: what Pillow does for BILINEAR, and ONNX where it resizes with antialiasing.
    """
    ratio = size / wanted
    middles = (np.arange(wanted) + 0.5) * ratio
    distances = np.abs(np.arange(size) + 0.5 - middles[:, None]) / max(ratio, 1.0)
    weights = np.maximum(0.0, 1.0 - distances)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)
