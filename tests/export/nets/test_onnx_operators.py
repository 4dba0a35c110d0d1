"""Every operator answers in PyTorch as it does in ONNX Runtime."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from relatent_export.nets.onnx_module import OnnxModule, checked_module
from relatent_export.nets.onnx_operators import OPERATORS
from relatent_export.nets.onnx_shapes import HOST
from tests.export.nets.onnx_graphs import OUTPUT, floats, graph, node, whole

MAP = (2, 3, 6, 6)
ROW = (2, 3, 4)
SINGLE = {"three": np.float32(0.3), "two": np.float32(2.0)}

PLAIN = [
    *("Abs", "Erf", "Exp", "HardSigmoid", "Identity", "LeakyRelu", "Neg", "Relu", "Sigmoid", "Softmax"),
    *("Tanh", "Transpose", "Flatten", "Dropout", "ReduceMax", "ReduceMean", "ReduceSum", "ReduceL2"),
]

CASES: dict[str, tuple[list[onnx.NodeProto], tuple[int, ...], dict[str, Any], int]] = {
    **{f"plain {kind}": ([node(kind, ["x"])], ROW, {}, 17) for kind in PLAIN},
    **{
        f"{kind} of two": ([node(kind, ["x", "row"])], ROW, {"row": np.abs(floats(4)) + 0.5}, 18)
        for kind in ("Add", "Sub", "Mul", "Div")
    },
    **{
        f"{kind} of a number first": ([node(kind, ["three", "x"])], ROW, SINGLE, 18)
        for kind in ("Add", "Sub", "Mul", "Div")
    },
    "Sqrt": ([node("Mul", ["x", "x"], "s"), node("Sqrt", ["s"])], ROW, {}, 18),
    "Pow of a square": ([node("Pow", ["x", "two"])], ROW, SINGLE, 18),
    "Pow": ([node("Exp", ["x"], "e"), node("Pow", ["e", "three"])], ROW, SINGLE, 18),
    "Clip": ([node("Clip", ["x", "three", "two"])], ROW, SINGLE, 18),
    "Clip from below": ([node("Clip", ["x", "three"])], ROW, SINGLE, 18),
    "Gelu": ([node("Gelu", ["x"])], ROW, {}, 20),
    "Gelu by tanh": ([node("Gelu", ["x"], approximate="tanh")], ROW, {}, 20),
    "Softmax of an axis": ([node("Softmax", ["x"], axis=1)], ROW, {}, 18),
    "Softmax of old": ([node("Softmax", ["x"])], ROW, {}, 11),
    "Gemm": (
        [node("Flatten", ["x"], "f"), node("Gemm", ["f", "w", "b"], transB=1)],
        ROW,
        {"w": floats(5, 12), "b": floats(5)},
        18,
    ),
    "Gemm with factors": (
        [node("Flatten", ["x"], "f"), node("Gemm", ["f", "w", "b"], transA=1, alpha=0.5, beta=2.0)],
        ROW,
        {"w": floats(2, 5), "b": floats(5)},
        18,
    ),
    "MatMul": ([node("MatMul", ["x", "w"])], ROW, {"w": floats(4, 5)}, 18),
    "Einsum": ([node("Einsum", ["x", "w"], equation="bij,jk->bik")], ROW, {"w": floats(4, 5)}, 18),
    "LayerNormalization": (
        [node("LayerNormalization", ["x", "s", "b"])],
        ROW,
        {"s": floats(4), "b": floats(4)},
        17,
    ),
    "LayerNormalization of two axes": (
        [node("LayerNormalization", ["x", "s"], axis=1, epsilon=0.1)],
        ROW,
        {"s": floats(3, 4)},
        17,
    ),
    "BatchNormalization": (
        [node("BatchNormalization", ["x", "s", "b", "m", "v"], epsilon=0.01)],
        MAP,
        {"s": floats(3), "b": floats(3), "m": floats(3), "v": np.abs(floats(3)) + 0.1},
        18,
    ),
    "InstanceNormalization": (
        [node("InstanceNormalization", ["x", "s", "b"])],
        MAP,
        {"s": floats(3), "b": floats(3)},
        18,
    ),
    "ReduceMean of an attribute": ([node("ReduceMean", ["x"], axes=[1], keepdims=0)], ROW, {}, 11),
    "ReduceMean of an input": ([node("ReduceMean", ["x", "a"])], ROW, {"a": whole(-1)}, 18),
    "ReduceSum of nothing": ([node("ReduceSum", ["x"], noop_with_empty_axes=1)], ROW, {}, 18),
    "ReduceL2 of an attribute": ([node("ReduceL2", ["x"], axes=[-1])], ROW, {}, 13),
    "Conv": (
        [node("Conv", ["x", "w", "b"], strides=[2, 2], pads=[1, 1, 1, 1])],
        MAP,
        {"w": floats(4, 3, 3, 3), "b": floats(4)},
        18,
    ),
    "Conv in groups, dilated": (
        [node("Conv", ["x", "w"], group=3, dilations=[2, 2])],
        MAP,
        {"w": floats(3, 1, 2, 2)},
        18,
    ),
    "Conv with an uneven border": (
        [node("Conv", ["x", "w"], pads=[0, 1, 2, 0])],
        MAP,
        {"w": floats(4, 3, 3, 3)},
        18,
    ),
    "Conv with a border of its own": (
        [node("Conv", ["x", "w"], auto_pad="SAME_UPPER", strides=[2, 2])],
        MAP,
        {"w": floats(4, 3, 3, 3)},
        18,
    ),
    "AveragePool of blocks": ([node("AveragePool", ["x"], kernel_shape=[2, 3], strides=[2, 3])], MAP, {}, 18),
    "AveragePool that overlaps": ([node("AveragePool", ["x"], kernel_shape=[3, 3])], MAP, {}, 18),
    **{
        f"AveragePool with a border, counted: {counted}": (
            [node("AveragePool", ["x"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=counted)],
            MAP,
            {},
            18,
        )
        for counted in (0, 1)
    },
    "GlobalAveragePool": ([node("GlobalAveragePool", ["x"])], MAP, {}, 18),
    "MaxPool": (
        [node("MaxPool", ["x"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])],
        MAP,
        {},
        18,
    ),
    "Pad": (
        [node("Pad", ["x", "p", "three"])],
        MAP,
        {"p": whole(0, 0, 1, 2, 0, 0, 0, 1), **SINGLE},
        18,
    ),
    **{
        f"Pad, {mode}": ([node("Pad", ["x", "p"], mode=mode)], MAP, {"p": whole(0, 0, 1, 2, 0, 0, 0, 1)}, 18)
        for mode in ("reflect", "edge")
    },
    "Pad of some axes": ([node("Pad", ["x", "p", "", "a"])], MAP, {"p": whole(1, 2), "a": whole(-1)}, 18),
    **{
        f"Resize, {mode}, {rule}": (
            [node("Resize", ["x", "", "f"], mode=mode, coordinate_transformation_mode=rule)],
            MAP,
            {"f": np.array([1, 1, 1.5, 2], np.float32)},
            18,
        )
        for mode in ("nearest", "linear")
        for rule in ("half_pixel", "asymmetric", "align_corners")
    },
    "Resize to sizes": (
        [node("Resize", ["x", "", "", "s"], mode="nearest", nearest_mode="floor")],
        MAP,
        {"s": whole(2, 3, 4, 9)},
        18,
    ),
    "Concat": ([node("Concat", ["x", "x"], axis=-1)], ROW, {}, 18),
    "Slice": (
        [node("Slice", ["x", "from", "to", "axes"])],
        ROW,
        {"from": whole(1, -3), "to": whole(3, 2**62), "axes": whole(1, 2)},
        18,
    ),
    "Gather of one": ([node("Gather", ["x", "at"], axis=1)], ROW, {"at": np.array(-1)}, 18),
    "Gather of some": ([node("Gather", ["x", "at"], axis=2)], ROW, {"at": np.array([[2, 0]])}, 18),
    "Gather of a table": ([node("Gather", ["table", "at"], "g"), node("Add", ["x", "g"])], ROW,
                          {"table": floats(5, 4), "at": whole(1, 4, 0)}, 18),
    "Squeeze and Unsqueeze": (
        [node("Unsqueeze", ["x", "a"], "u"), node("Squeeze", ["u", "b"])],
        ROW,
        {"a": whole(0, -1), "b": whole(0)},
        18,
    ),
    "Unsqueeze of an attribute": ([node("Unsqueeze", ["x"], axes=[1])], ROW, {}, 11),
    "Expand": ([node("Expand", ["x", "s"])], ROW, {"s": whole(5, 1, 3, 1)}, 18),
    "Reshape that keeps an axis": ([node("Reshape", ["x", "s"])], ROW, {"s": whole(0, -1, 2, 2)}, 18),
    "Where and Equal": (
        [
            node("Equal", ["x", "x"], "same"),
            node("Less", ["x", "three"], "less"),
            node("Greater", ["two", "x"], "more"),
            node("And", ["same", "less"], "both"),
            node("And", ["both", "more"], "all"),
            node("Not", ["all"], "none"),
            node("IsNaN", ["x"], "nan"),
            node("Where", ["nan", "x", "two"], "other"),
            node("Where", ["none", "x", "other"]),
        ],
        ROW,
        SINGLE,
        18,
    ),
    "Cast": (
        [node("Cast", ["x"], "c", to=onnx.TensorProto.INT64), node("Cast", ["c"], to=onnx.TensorProto.FLOAT)],
        ROW,
        {},
        18,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_operator_answers_as_onnx_runtimes_does(name: str) -> None:
    nodes, dims, weights, opset = CASES[name]
    model = graph(nodes, dims, {key: np.asarray(value) for key, value in weights.items()}, opset)
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    checked_module(model, OUTPUT, torch.from_numpy(floats(*dims)))


@pytest.mark.parametrize("sizes", [[1, 3], None], ids=["told", "equal"])
def test_a_split_gives_its_parts_in_order(sizes: list[int] | None) -> None:
    given = ["x", "sizes"] if sizes else ["x"]
    split = onnx.helper.make_node("Split", given, ["a", "b"], axis=-1)
    if sizes is None:
        split.attribute.append(onnx.helper.make_attribute("num_outputs", 2))
    nodes = [split, node("Concat", ["b", "a"], axis=-1)]
    model = graph(nodes, ROW, {"sizes": whole(*sizes)} if sizes else {})
    checked_module(model, OUTPUT, torch.from_numpy(floats(*ROW)))


SHAPES = {
    "a class token for each image": (
        [
            node("Shape", ["x"], "s"),
            node("Gather", ["s", "zero"], "batch", axis=0),
            node("Unsqueeze", ["batch", "axis"], "batches"),
            node("Concat", ["batches", "minus", "minus"], "wanted", axis=0),
            node("Shape", ["wanted"], "rank"),
            node("ConstantOfShape", ["rank"], "ones", value=onnx.numpy_helper.from_array(whole(1))),
            node("Mul", ["ones", "minus_one"], "negative"),
            node("Equal", ["wanted", "negative"], "free"),
            node("Where", ["free", "ones", "wanted"], "sizes"),
            node("Expand", ["token", "sizes"], "tokens"),
            node("Concat", ["tokens", "x"], axis=1),
        ],
        {
            "zero": np.array(0), "axis": whole(0), "minus": whole(-1), "minus_one": np.array(-1),
            "token": floats(1, 1, 4),
        },
    ),
    "heads by arithmetic of shapes": (
        [
            node("Shape", ["x"], "s", start=1),
            node("Slice", ["s", "one", "two"], "width"),
            node("Div", ["width", "pair"], "half"),
            node("Cast", ["half"], "float", to=onnx.TensorProto.FLOAT),
            node("Sqrt", ["float"], "root"),
            node("Squeeze", ["root"], "factor"),
            node("Concat", ["same", "half", "pair"], "wanted", axis=0),
            node("Reshape", ["x", "wanted"], "heads"),
            node("Div", ["heads", "factor"]),
        ],
        {"one": whole(1), "two": whole(2), "pair": whole(2), "same": whole(0, 0)},
    ),
    "places by a range": (
        [
            node("Range", ["zero", "three", "one"], "places"),
            node("Gather", ["table", "places"], "row"),
            node("Add", ["x", "row"]),
        ],
        {"zero": np.array(0), "three": np.array(3), "one": np.array(1), "table": floats(5, 4)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("batch", [1, 3])
def test_shapes_are_reckoned_as_onnx_runtime_does(name: str, batch: int) -> None:
    nodes, weights = SHAPES[name]
    model = graph(nodes, ("batch", 3, 4), {key: np.asarray(value) for key, value in weights.items()})
    model.graph.output[0].type.tensor_type.ClearField("shape")
    checked_module(model, OUTPUT, torch.from_numpy(floats(batch, 3, 4)))


def test_all_operators_have_been_tried() -> None:
    nodes = [case[0] for case in CASES.values()] + [case[0] for case in SHAPES.values()]
    tried = {each.op_type for each in itertools.chain(*nodes)}
    assert OPERATORS.keys() - tried == {"Split", "ConstantOfShape", "Range"} - tried
    assert HOST.keys() - OPERATORS.keys() == {"Max", "Min", "Mod", "ReduceProd"}


def test_a_constant_is_of_any_kind() -> None:
    values: dict[str, Any] = {"int": 1, "ints": [0, 2], "float": 0.5, "floats": [1.0, 2.0]}
    made = [node("Constant", [], name, **{f"value_{name}": value}) for name, value in values.items()]
    nodes = [
        *made,
        node("Gather", ["x", "ints"], "picked", axis=2),
        node("Gather", ["picked", "int"], "one", axis=1),
        node("Mul", ["one", "float"], "half"),
        node("Add", ["half", "floats"]),
    ]
    module = OnnxModule(graph(nodes, ROW, rank=2), OUTPUT)
    x = torch.from_numpy(floats(*ROW))
    torch.testing.assert_close(module(x), x[:, 1, [0, 2]] * 0.5 + torch.tensor([1.0, 2.0]))
