"""A model repository of small graphs, each made to show one thing about an engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from google.protobuf import text_format
from onnx import TensorProto, helper, numpy_helper
from tritonclient.grpc import model_config_pb2 as triton

from tests.fixtures.graph_builder import IR_VERSION, OPSET, GraphBuilder

PACK = {"relatent.pack": "toy", "relatent.revision": "0" * 64}
MAX_BATCH = 16
QUEUE_DELAY_MICROSECONDS = 20_000
IMAGE = (512, 512, 3)
WIDTH = 256
TYPES: dict[int, triton.DataType] = {
    TensorProto.FLOAT: triton.TYPE_FP32,
    TensorProto.UINT8: triton.TYPE_UINT8,
    TensorProto.INT32: triton.TYPE_INT32,
    TensorProto.INT64: triton.TYPE_INT64,
}


def double() -> onnx.ModelProto:
    """`y` = 2 `x`, and `batch`, the number of samples of the run."""
    g = GraphBuilder("double")
    x = g.input("x", [3])
    g.output(g.op("Mul", x, 2.0), "y", [3])
    count = g.op("Cast", g.op("Shape", x, start=0, end=1), to=TensorProto.FLOAT)
    ones = g.op("Slice", x, np.array([0], np.int64), np.array([1], np.int64), np.array([1], np.int64))
    g.output(g.op("Add", g.op("Mul", ones, 0.0), count), "batch", [1])
    return g.model()


def pick() -> onnx.ModelProto:
    """`value` = `table` at `index`, which fails as a whole for an index outside of it."""
    g = GraphBuilder("pick")
    table, index = g.input("table", [4]), g.input("index", [1], TensorProto.INT64)
    g.output(g.op("GatherElements", table, index, axis=1), "value", [1])
    return g.model()


def invert() -> onnx.ModelProto:
    """A large picture's negative."""
    g = GraphBuilder("invert")
    image = g.op("Cast", g.input("image", IMAGE, TensorProto.UINT8), to=TensorProto.INT32)
    negative = g.op("Sub", np.array(255, np.int32), image)
    g.output(g.op("Cast", negative, to=TensorProto.UINT8), "image_out", IMAGE, TensorProto.UINT8)
    return g.model()


def work() -> onnx.ModelProto:
    """`result` of as many matrix products as the largest of `rounds`; `batch`, the number of samples."""
    weights = np.random.default_rng(1).normal(scale=WIDTH**-0.5, size=(WIDTH, WIDTH)).astype(np.float32)
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["before", "weights"], ["product"]),
            helper.make_node("Tanh", ["product"], ["after"]),
            helper.make_node("Identity", ["go"], ["go_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [WIDTH, WIDTH]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [WIDTH, WIDTH]),
        ],
    )
    constants = {
        "weights": weights,
        "first": np.eye(WIDTH, dtype=np.float32),
        "true": np.array(True),
        "all": np.array([0, 1], np.int64),
        "zero": np.array(0, np.float32),
    }
    nodes = [
        helper.make_node("ReduceMax", ["rounds"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["count"], to=TensorProto.INT64),
        helper.make_node("Loop", ["count", "true", "first"], ["last"], body=body),
        helper.make_node("ReduceMean", ["last", "all"], ["mean"], keepdims=0),
        helper.make_node("Cast", ["rounds"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "mean"], ["result"]),
        helper.make_node("Shape", ["rounds"], ["samples"], start=0, end=1),
        helper.make_node("Cast", ["samples"], ["counted"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["zeros", "counted"], ["batch"]),
    ]
    graph = helper.make_graph(
        nodes,
        "work",
        [helper.make_tensor_value_info("rounds", TensorProto.INT32, ["n", 1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in ("result", "batch")],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def choosy() -> onnx.ModelProto:
    """`value` = `table` at `steps` - 1, which fails for a sample of no steps."""
    g = GraphBuilder("choosy")
    table, steps = g.input("table", [4]), g.input("steps", [1], TensorProto.INT32)
    rest = g.op("Mul", g.op("Sub", np.array(1, np.int32), steps), np.array(9, np.int32))
    g.output(g.op("GatherElements", table, rest, axis=1), "value", [1])
    return g.model()


def write_model(
    repository: Path,
    name: str,
    model: onnx.ModelProto,
    parameters: Mapping[str, str] = PACK,
    warmup: Mapping[str, bytes] | None = None,
) -> None:
    """Write a model and its configuration.

    With a warm-up, it is warmed up at three batch sizes, on zeros but for the inputs named, of which the
    bytes of one sample are given.
    """
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(model.SerializeToString())
    config = triton.ModelConfig(name=name, backend="onnxruntime", max_batch_size=MAX_BATCH)
    for values, entries in ((model.graph.input, config.input), (model.graph.output, config.output)):
        for value in values:
            tensor = value.type.tensor_type
            dims = [dim.dim_value for dim in tensor.shape.dim[1:]]
            entries.add(name=value.name, data_type=TYPES[tensor.elem_type], dims=dims)
    config.dynamic_batching.max_queue_delay_microseconds = QUEUE_DELAY_MICROSECONDS
    config.instance_group.add(count=1)
    for key, text in parameters.items():
        config.parameters[key].string_value = text
    if warmup is not None:
        _add_warmup(config, folder / "warmup", warmup)
    (folder / "config.pbtxt").write_text(text_format.MessageToString(config))


def _add_warmup(config: triton.ModelConfig, folder: Path, data: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for size in (1, 2, MAX_BATCH):
        sample = config.model_warmup.add(name=f"batch_{size}", batch_size=size)
        for tensor in config.input:
            entry = sample.inputs[tensor.name]
            entry.data_type = tensor.data_type
            entry.dims.extend(tensor.dims)
            if tensor.name in data:
                entry.input_data_file = tensor.name
                (folder / tensor.name).write_bytes(data[tensor.name])
            else:
                entry.zero_data = True


def write_repository(repository: Path) -> Path:
    """Write every graph, and one that belongs to no pack."""
    for build in (double, pick, invert, work):
        write_model(repository, f"toy_{build.__name__}", build())
    write_model(repository, "stranger", double(), {})
    return repository
