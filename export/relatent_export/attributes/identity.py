"""Whether two images show the same person, by any ONNX network that makes vectors of images.

The cosine of two vectors becomes one more output of a pack's `assess` graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from relatent_export.attributes.adapting import BATCH, adapt, converted
from relatent_export.attributes.graphs import IMAGE, READINGS
from relatent_export.attributes.joining import opset_of
from relatent_export.attributes.network import ImageNetwork
from relatent_export.attributes.trying import UnusableNetwork, sample_images, try_network
from relatent_export.compile.onnx import clean
from relatent_export.nets.networks import AnyGenerator

SIMILARITY = "identity"
"""The output that is added, float32 [B, 1]."""
REFERENCE = "reference"

_SAME = 1 - 1e-6
"""Cosine from which on two vectors point the same way."""
_TINY = 1e-12


def adapt_identity(network: ImageNetwork, generator: AnyGenerator) -> bytes:
    """Make a graph that tells whom a generator's images show, and try it on some.

    Args:
        network: images to vectors, of any length; all numbers of its output count.
        generator: whose images.

    Returns:
        The pack's `identity.onnx`.

    Raises:
        UnusableNetwork: the network does not run on them, alone and in batches alike, or its vectors are not
            finite, zero, or the same for all; names it.
        ValueError: it is not as it is described.
        OSError: it cannot be read; names it.
    """
    for key, told in (("names", network.names), ("attributes", network.taken)):
        if told:
            raise network.wrong(key, "none of a network that tells identities, whose numbers all count", told)
    model = adapt(network, generator.config.resolution)
    vectors = try_network(network, model, sample_images(generator)).astype(np.float64)
    if not np.isfinite(vectors).all():
        raise UnusableNetwork(f"{network.source}: expected finite vectors of samples")
    if vectors.shape[1] < 2:
        raise UnusableNetwork(f"{network.source}: expected a vector for an image, got one number")
    lengths = np.linalg.norm(vectors, axis=1)
    if not lengths.all():
        raise UnusableNetwork(f"{network.source}: expected vectors that point somewhere, got zeros")
    unit = vectors / lengths[:, None]
    if (unit @ unit.T).min() >= _SAME:
        raise UnusableNetwork(f"{network.source}: expected vectors that tell samples apart, got one for all")
    vector = helper.make_tensor_value_info(READINGS, TensorProto.FLOAT, [BATCH, vectors.shape[1]])
    model.graph.output[0].CopyFrom(vector)
    return clean(model).SerializeToString(deterministic=True)


def with_identity(assess: onnx.ModelProto, identity: bytes) -> onnx.ModelProto:
    """An assessment that says besides how much two images show the same person.

    Args:
        assess: of `image` and `reference`, uint8 [B, R, R, 3].
        identity: as `adapt_identity` makes it.

    Returns:
        The same with one more output, `identity`, float32 [B, 1] in [-1, 1].
    """
    reader = onnx.ModelProto.FromString(identity)
    opset = max(opset_of(assess), opset_of(reader))
    assess, reader = (
        model if opset_of(model) == opset else converted(model, opset) for model in (assess, reader)
    )
    graph, inner = assess.graph, compose.add_prefix(reader, "identity/").graph
    width = inner.output[0].type.tensor_type.shape.dim[1].dim_value
    nodes = [
        # Both in one batch, so that the network is in the graph once.
        helper.make_node("Concat", [IMAGE, REFERENCE], [inner.input[0].name], "identity/batch", axis=0),
        *inner.node,
    ]
    weights = {
        "identity/halves": np.array([2, -1, width]),
        "identity/last": np.array([-1]),
        "identity/tiny": np.array(_TINY, np.float32),
        "identity/first": np.array(0),
        "identity/second": np.array(1),
    }

    def add(kind: str, inputs: list[str], output: str, **more: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], output, **more))
        return output

    both = add("Reshape", [inner.output[0].name, "identity/halves"], "identity/both")
    squares = add("Mul", [both, both], "identity/squares")
    square = add("ReduceSum", [squares, "identity/last"], "identity/square", keepdims=1)
    length = add("Sqrt", [add("Add", [square, "identity/tiny"], "identity/not_zero")], "identity/length")
    unit = add("Div", [both, length], "identity/unit")
    one = add("Gather", [unit, "identity/first"], "identity/of_image", axis=0)
    other = add("Gather", [unit, "identity/second"], "identity/of_reference", axis=0)
    products = add("Mul", [one, other], "identity/products")
    add("ReduceSum", [products, "identity/last"], SIMILARITY, keepdims=1)
    graph.node.extend(nodes)
    graph.initializer.extend(inner.initializer)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    graph.sparse_initializer.extend(inner.sparse_initializer)
    graph.output.append(helper.make_tensor_value_info(SIMILARITY, TensorProto.FLOAT, [BATCH, 1]))
    domains = {entry.domain: entry for model in (reader, assess) for entry in model.opset_import}
    ir_version = max(assess.ir_version, reader.ir_version)
    return helper.make_model(graph, opset_imports=list(domains.values()), ir_version=ir_version)
