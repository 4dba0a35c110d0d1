"""Reading an image-text pair of somebody else's: a folder of files as exports of CLIP have them.

image.onnx, vision_model.onnx or visual.onnx     the image encoder
text.onnx, text_model.onnx or textual.onnx       the text encoder
tokenizer.json                                   as the `tokenizers` library writes it
preprocessor_config.json                         how images are prepared; CLIP's way if it is missing
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper, inliner
from tokenizers import Tokenizer

from relatent_export.attributes.adapting import converted
from relatent_export.attributes.graphs import read_graph
from relatent_export.nets.image_text import IDS, IMAGE_EMBEDS, MASK, PIXELS, TEXT_EMBEDS, ImageText
from relatent_export.nets.onnx_module import checked_module
from relatent_export.text.encoding import UnusablePair, embed_texts, run_images
from relatent_export.text.preparing import PREPARING, read_preparing

IMAGE_FILES = ("image.onnx", "vision_model.onnx", "visual.onnx")
TEXT_FILES = ("text.onnx", "text_model.onnx", "textual.onnx")
TOKENIZER = "tokenizer.json"

_SIDE, _CONTEXT = 224, 77
"""CLIP's own."""
_PADS = ("<|endoftext|>", "<pad>", "[PAD]")
"""What texts are filled up with where a tokenizer does not say, the first that it knows."""
_OLDEST, _OPSET = 13, 17
"""Opset from which on graphs stay as they are, and that of others."""
_WHOLE = (TensorProto.INT64, TensorProto.INT32)
_TRIED = ("a person", "a smiling person with long hair")


def read_image_text(folder: Path) -> ImageText:
    """Read a pair, and try it.

    Raises:
        ValueError: a file is not what it must be, or the two do not go together; names the file.
        FileNotFoundError: a file is missing; names the folder and what was looked for.
        OSError: a file cannot be read; names it.
    """
    image_file, text_file = _found(folder, IMAGE_FILES), _found(folder, TEXT_FILES)
    tokenizer_file = _found(folder, (TOKENIZER,))
    tokenizer = read_tokenizer(tokenizer_file)
    said, mean, std = read_preparing(folder / PREPARING)
    image, side = _image_graph(image_file, said)
    text, fixed = _text_graph(text_file)
    _check_vocabulary(text_file, text, tokenizer_file, tokenizer)
    truncation, padding = tokenizer.truncation, tokenizer.padding
    context = fixed or (truncation["max_length"] if truncation else _CONTEXT)
    model = ImageText(
        image=image.SerializeToString(deterministic=True),
        text=text.SerializeToString(deterministic=True),
        tokenizer=tokenizer_file.read_text(encoding="utf-8"),
        side=side,
        mean=mean,
        std=std,
        context=context,
        pad=padding["pad_id"] if padding else _pad(tokenizer),
        width=0,
    )
    return _tried(model, image_file, text_file)


def read_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer.

    Raises:
        ValueError: it is none; names the file.
        OSError: it cannot be read; names it.
    """
    data = path.read_bytes()
    try:
        return Tokenizer.from_buffer(data)
    except Exception as error:  # the library's own, of no other kind
        raise ValueError(f"{path}: expected a tokenizer of the tokenizers library: {error}") from error


def _found(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder}: expected {' or '.join(names)}, found none")


def _tried(model: ImageText, image_file: Path, text_file: Path) -> ImageText:
    """The pair with its width, if it embeds images and texts, and PyTorch embeds images likewise."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, model.side, model.side, generator=random)
    graph = onnx.ModelProto.FromString(model.image)
    try:
        widths = [run_images(graph, each.numpy()).shape[1] for each in (pixels[:1], pixels)]
        checked_module(graph, IMAGE_EMBEDS, pixels)
    except ValueError as error:
        raise UnusablePair(f"{image_file}: {error}") from error
    try:
        embedded = [embed_texts(model, _TRIED[:count]).shape[1] for count in (1, 2)]
    except ValueError as error:
        raise UnusablePair(f"{text_file}: {error}") from error
    if embedded != widths:
        raise UnusablePair(
            f"{text_file}: expected embeddings of {widths[0]} numbers, as {image_file.name} has, "
            f"got {embedded[0]}"
        )
    return ImageText(**{**vars(model), "width": widths[0]})


def _prepared(path: Path) -> onnx.ModelProto:
    """A graph without functions of its own and whose weights are no inputs, of an opset that is known."""
    model = read_graph(path)
    if model.functions:
        model = inliner.inline_local_functions(model)
    version = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if version < _OLDEST:
        model = converted(model, _OPSET, f"{path}: ")
    del model.graph.value_info[:]
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model


def _image_graph(path: Path, said: int | None) -> tuple[onnx.ModelProto, int]:
    """The graph, its input and output called as ours, and the side of its images."""
    model = _prepared(path)
    value = _input(path, model.graph, PIXELS)
    dims, kind = _dims(value), value.type.tensor_type.elem_type
    if kind != TensorProto.FLOAT:
        raise ValueError(f"{path}: {value.name}: expected float32, got {TensorProto.DataType.Name(kind)}")
    if len(dims) != 4 or dims[1] not in (0, 3):
        raise ValueError(f"{path}: {value.name}: expected images [B, 3, S, S], got {_shown(dims)}")
    sides = {side for side in dims[2:] if side}
    if len(sides) > 1 or (said is not None and sides and sides != {said}):
        wanted = f"sides of {said} pixels, as {PREPARING} says" if said else "square images"
        raise ValueError(f"{path}: {value.name}: expected {wanted}, got {_shown(dims)}")
    side = sides.pop() if sides else said or _SIDE
    output = _output(path, model.graph, IMAGE_EMBEDS)
    _rename(model.graph, {value.name: PIXELS}, output, IMAGE_EMBEDS)
    return model, side


def _text_graph(path: Path) -> tuple[onnx.ModelProto, int]:
    """The graph, its inputs and output called as ours, and its number of tokens; 0: any."""
    model = _prepared(path)
    masks = [value for value in model.graph.input if value.name == MASK]
    others = [value for value in model.graph.input if value.name != MASK]
    if len(others) != 1 or others[0].type.tensor_type.elem_type not in _WHOLE:
        got = ", ".join(value.name for value in model.graph.input) or "none"
        raise ValueError(f"{path}: expected the inputs {IDS}, int64 or int32, and perhaps {MASK}, got {got}")
    for value in (*others, *masks):
        if len(_dims(value)) != 2:
            raise ValueError(f"{path}: {value.name}: expected [B, T], got {_shown(_dims(value))}")
        if value.type.tensor_type.elem_type != others[0].type.tensor_type.elem_type:
            raise ValueError(f"{path}: {MASK}: expected numbers of the kind of {others[0].name}'s")
    output = _output(path, model.graph, TEXT_EMBEDS)
    _rename(model.graph, {others[0].name: IDS}, output, TEXT_EMBEDS)
    return model, _dims(others[0])[1]


def _input(path: Path, graph: onnx.GraphProto, name: str) -> onnx.ValueInfoProto:
    if len(graph.input) != 1:
        got = ", ".join(value.name for value in graph.input) or "none"
        raise ValueError(f"{path}: expected one input, {name}, got {got}")
    return graph.input[0]


def _output(path: Path, graph: onnx.GraphProto, name: str) -> str:
    """The output of a name, or the only one that may be a row of numbers an image or a text."""
    names = [value.name for value in graph.output]
    if name in names:
        return name
    rows = names if len(names) == 1 else [each.name for each in graph.output if len(_dims(each)) == 2]
    if len(rows) != 1:
        raise ValueError(f"{path}: expected an output {name}, or one of 2 axes, got {', '.join(names)}")
    return rows[0]


def _rename(graph: onnx.GraphProto, inputs: dict[str, str], output: str, name: str) -> None:
    """Call inputs and the one output as ours; nodes keep the names that they know."""
    values = list(graph.input)
    for value in values:
        wanted = inputs.get(value.name, value.name)
        if wanted != value.name:
            graph.node.insert(0, helper.make_node("Identity", [wanted], [value.name], f"take {wanted}"))
            value.name = wanted
    kept = next(value for value in graph.output if value.name == output)
    if output != name:
        graph.node.append(helper.make_node("Identity", [output], [name], f"give {name}"))
        kept.name = name
    del graph.output[:]
    graph.output.append(kept)


def _check_vocabulary(text_file: Path, model: onnx.ModelProto, file: Path, tokenizer: Tokenizer) -> None:
    """That every token has a row of the table of embeddings, where it is seen which one that is."""
    rows = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if len(tensor.dims) == 2}
    same = {IDS}
    for node in model.graph.node:
        if node.op_type in ("Identity", "Cast") and node.input[0] in same:
            same.add(node.output[0])
        if node.op_type == "Gather" and node.input[1] in same and node.input[0] in rows:
            known, highest = rows[node.input[0]], max(tokenizer.get_vocab().values())
            if highest >= known:
                raise ValueError(
                    f"{file}: expected tokens below {known}, as many as {text_file.name} knows, got {highest}"
                )


def _pad(tokenizer: Tokenizer) -> int:
    known = (tokenizer.token_to_id(token) for token in _PADS)
    return next((token for token in known if token is not None), 0)


def _dims(value: onnx.ValueInfoProto) -> list[int]:
    """Sizes of the axes; 0 where one is free."""
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _shown(dims: Sequence[int]) -> str:
    return f"[{', '.join(str(size or '?') for size in dims)}]"
