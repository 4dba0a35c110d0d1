"""A small image-text pair in the files of a CLIP export, as somebody else would have made them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from relatent_export.nets.image_text import ImageText
from relatent_export.text.image_text import read_image_text

SIDE, WIDTH, CONTEXT, TOKENS = 16, 5, 6, 12
WORDS = ("<pad>", "<unknown>", "a", "person", "smiling", "old", "with", "long", "hair", "glasses")


def node(kind: str, inputs: Sequence[str], output: str, **more: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [output], **more)


def write_graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Sequence[int | str]]],
    outputs: Mapping[str, Sequence[int | str]],
    weights: Mapping[str, Any],
    opset: int = 17,
) -> None:
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info(name, kind, list(dims)) for name, (kind, dims) in inputs.items()],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims))
            for name, dims in outputs.items()
        ],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)


def weights(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def write_image(
    path: Path,
    *,
    name: str = "pixel_values",
    dims: Sequence[int | str] = ("batch", 3, SIDE, SIDE),
    kind: int = TensorProto.FLOAT,
    output: str = "image_embeds",
    width: int = WIDTH,
    last: str = "Tanh",
    opset: int = 17,
) -> None:
    """Patches, activated and averaged, then projected; their number is an output as well."""
    nodes = [
        node("Conv", [name, "patches"], "maps", strides=[4, 4]),
        node("Sigmoid", ["maps"], "active"),
        node("GlobalAveragePool", ["active"], "pooled"),
        node("Flatten", ["pooled"], "flat"),
        node("Gemm", ["flat", "project", "shift"], "projected"),
        node(last, ["projected"], output),
    ]
    tensors = {"patches": weights(6, 3, 4, 4), "project": weights(6, width), "shift": weights(width)}
    outputs: dict[str, Sequence[int | str]] = {
        "maps" if output != "maps" else "active": ("batch", 6, "h", "w"),
        output: ("batch", width),
    }
    write_graph(path, nodes, {name: (kind, dims)}, outputs, tensors, opset)


def write_text(
    path: Path,
    *,
    ids: str = "input_ids",
    kind: int = TensorProto.INT64,
    mask: bool = True,
    dims: Sequence[int | str] = ("batch", CONTEXT),
    output: str = "text_embeds",
    width: int = WIDTH,
    tokens: int = TOKENS,
) -> None:
    """The mean of what a table has for the tokens that count."""
    nodes = [node("Gather", ["table", ids], "rows")]
    if mask:
        nodes += [
            node("Cast", ["attention_mask"], "counts", to=TensorProto.FLOAT),
            node("Unsqueeze", ["counts", "last"], "shares"),
            node("Mul", ["rows", "shares"], "counted"),
        ]
    nodes += [
        node("ReduceSum", ["counted" if mask else "rows", "places"], "sum", keepdims=0),
        node("MatMul", ["sum", "project"], output),
    ]
    inputs = {ids: (kind, dims), **({"attention_mask": (kind, dims)} if mask else {})}
    tensors = {"table": weights(tokens, 7, seed=1), "project": weights(7, width, seed=2),
               "last": np.array([-1]), "places": np.array([1])}  # fmt: skip
    write_graph(path, nodes, inputs, {output: ("batch", width)}, tensors)


def write_tokenizer(path: Path, words: Sequence[str] = WORDS, context: int | None = None) -> None:
    tokenizer = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unknown>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if context is not None:
        tokenizer.enable_truncation(context)
    tokenizer.save(str(path))


def write_preparing(path: Path, **said: Any) -> None:
    path.write_text(json.dumps(said))


def write_pair(
    folder: Path, image: Mapping[str, Any] | None = None, text: Mapping[str, Any] | None = None
) -> Path:
    """The whole folder, with some of the graphs' parts otherwise."""
    folder.mkdir(exist_ok=True)
    write_image(folder / "vision_model.onnx", **(image or {}))
    write_text(folder / "text_model.onnx", **(text or {}))
    write_tokenizer(folder / "tokenizer.json")
    write_preparing(
        folder / "preprocessor_config.json",
        image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4], crop_size={"height": SIDE, "width": SIDE},
    )  # fmt: skip
    return folder


def small_pair(folder: Path) -> ImageText:
    return read_image_text(write_pair(folder))
