"""ONNX graphs of somebody else's, as files: they are read, looked through and kept, and never run as code.

A graph is data: operators by name, and numbers. What it must not do is point at other files, where its
numbers may lie as "external data".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

ATTRIBUTE_GRAPH = "attributes.onnx"
"""In a pack's folder: uint8 [B, R, R, 3] to float32 [B, A]."""

IDENTITY_GRAPH = "identity.onnx"
"""Likewise: uint8 [B, R, R, 3] to vectors, float32 [B, E]."""

IMAGE, READINGS = "image", "attributes"
"""The graph's input and output."""

_NAMES = "names"
"""Of the metadata: what the outputs are, in JSON."""


def read_graph(path: Path) -> onnx.ModelProto:
    """Read a graph and look it through.

    Raises:
        ValueError: it is no ONNX graph, or keeps its weights elsewhere; names the file.
        OSError: it cannot be read; names it.
    """
    try:
        return parse_graph(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse_graph(data: bytes) -> onnx.ModelProto:
    """The same of a file's bytes.

    Raises:
        ValueError: they are no ONNX graph, or its weights are elsewhere.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ValueError("expected an ONNX graph, got other bytes") from error
    if not model.graph.node or not model.graph.output:
        raise ValueError("expected an ONNX graph, got one without nodes or outputs")
    outside = [tensor.name for tensor in _tensors(model) if _is_outside(tensor)]
    if outside:
        raise ValueError(
            f"{outside[0]}: expected weights inside the file, got external data; "
            "onnx.save(onnx.load(FILE), FILE) puts them in"
        )
    return model


def with_names(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The model, changed: its metadata says what its outputs are, and nothing else."""
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {_NAMES: json.dumps(list(names))})
    return model


def names_of(model: onnx.ModelProto, resolution: int) -> tuple[str, ...]:
    """What a pack's attribute graph says its outputs are.

    Args:
        model: the graph.
        resolution: of the images that it reads, R.

    Raises:
        ValueError: it does not say, or its shapes are others.
    """
    said = {entry.key: entry.value for entry in model.metadata_props}
    try:
        names = tuple(map(str, json.loads(said[_NAMES])))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("expected metadata that names its outputs") from error
    shapes = [
        (value.name, value.type.tensor_type.elem_type, [dim.dim_value for dim in _dims(value)[1:]])
        for value in (*model.graph.input, *model.graph.output)
    ]
    images = (IMAGE, TensorProto.UINT8, [resolution, resolution, 3])
    if shapes != [images, (READINGS, TensorProto.FLOAT, [len(names)])]:
        got = ", ".join(f"{name} {sizes}" for name, _, sizes in shapes)
        raise ValueError(
            f"expected {IMAGE} {images[2]} of bytes to {READINGS} [{len(names)}] of floats, got {got}"
        )
    return names


def _dims(value: onnx.ValueInfoProto) -> Sequence[onnx.TensorShapeProto.Dimension]:
    return value.type.tensor_type.shape.dim


def _is_outside(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or bool(tensor.external_data)


def _tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Every tensor of a model: weights, and those that nodes carry, in loops and functions as well."""
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            nodes += graph.node
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            continue
        for attribute in nodes.pop().attribute:
            yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)
            for sparse in (
                *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
                *attribute.sparse_tensors,
            ):
                yield from (sparse.values, sparse.indices)
            graphs += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
