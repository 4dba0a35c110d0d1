"""Embeddings of texts, and of images with gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import TensorProto
from tokenizers import Tokenizer
from torch import Tensor, nn

from relatent_export.attributes.trying import first_line, open_session
from relatent_export.nets.image_text import IDS, IMAGE_EMBEDS, MASK, PIXELS, TEXT_EMBEDS, ImageText
from relatent_export.nets.onnx_module import REFUSALS, OnnxModule
from relatent_export.nets.resampling import area_downsample

Floats = NDArray[np.float32]

_TINY = 1e-12


class UnusablePair(ValueError):
    """An image-text pair does not run, or its parts do not go together."""


def embed_texts(model: ImageText, texts: Sequence[str]) -> Floats:
    """Embed texts.

    Returns:
        float32 [N, E], of unit length.

    Raises:
        ValueError: a text is blank or too long; names its place.
        UnusablePair: the text encoder does not run on them, or its answers are no vectors.
    """
    ids, mask = tokens(model, texts)
    graph = onnx.ModelProto.FromString(model.text)
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.graph.input}
    whole = np.int64 if kinds[IDS] == TensorProto.INT64 else np.int32
    given = {IDS: ids.astype(whole), **({MASK: mask.astype(whole)} if MASK in kinds else {})}
    return _unit(_run(graph, given, TEXT_EMBEDS))


def tokens(model: ImageText, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Texts as tokens, and 1 for each that is not there to fill up, both int64 [N, T].

    Raises:
        ValueError: a text is blank or too long; names its place.
    """
    tokenizer = Tokenizer.from_str(model.tokenizer)
    tokenizer.no_truncation()
    tokenizer.enable_padding(length=model.context, pad_id=model.pad)
    for place, text in enumerate(texts):
        if not text.strip():
            raise ValueError(f"texts[{place}]: expected words, got {text!r}")
    encoded = tokenizer.encode_batch(list(texts))
    for place, each in enumerate(encoded):
        if len(each.ids) > model.context:
            raise ValueError(
                f"texts[{place}]: expected a text of at most {model.context} tokens, got {len(each.ids)}"
            )
    ids, mask = ([getattr(each, what) for each in encoded] for what in ("ids", "attention_mask"))
    return np.array(ids, np.int64), np.array(mask, np.int64)


class ImageEmbedding(nn.Module):
    """Images as an image-text pair embeds them, with gradients.

    They are brought to the pair's own size, by the mean of blocks where they are larger by a whole factor and
    as pictures are resized for CLIP otherwise (bicubic, antialiased), and normalised as the pair wants it.

    Args:
        model: the pair.
        resolution: R, height and width of the images.

    Raises:
        ValueError: the image encoder has an operator that gradients are not taken through here.
    """

    mean: Tensor
    std: Tensor
    resizing: Tensor

    def __init__(self, model: ImageText, resolution: int) -> None:
        super().__init__()
        self.side, self.blocks = model.side, resolution % model.side == 0
        self.network = OnnxModule(onnx.ModelProto.FromString(model.image), IMAGE_EMBEDS)
        for name, numbers in (("mean", model.mean), ("std", model.std)):
            self.register_buffer(name, torch.tensor(numbers)[:, None, None])
        self.register_buffer("resizing", _bicubic(resolution, model.side))

    def forward(self, image: Tensor) -> Tensor:
        """Images float32 [B, 3, R, R] in [-1, 1] to embeddings of unit length, float32 [B, E]."""
        if self.blocks:
            image = area_downsample(image, self.side)
        else:
            image = self.resizing @ image @ self.resizing.t()
        embedded: Tensor = self.network((image * 0.5 + 0.5 - self.mean) / self.std)
        return embedded / (embedded * embedded).sum(1, keepdim=True).add(_TINY).sqrt()


def _bicubic(size: int, wanted: int) -> Tensor:
    """Weights of a line's pixels in those of a line of another length, float32 [wanted, size]."""
    line = torch.eye(size)[None, None]
    resized = F.interpolate(line, (wanted, size), mode="bicubic", antialias=True, align_corners=False)
    return resized[0, 0].contiguous()


def run_images(graph: onnx.ModelProto, pixels: Floats) -> Floats:
    """Normalised images float32 [B, 3, S, S] to embeddings [B, E], by ONNX Runtime.

    Raises:
        UnusablePair: the image encoder does not run on them, or its answers are no vectors.
    """
    return _run(graph, {PIXELS: pixels}, IMAGE_EMBEDS)


def _run(graph: onnx.ModelProto, given: dict[str, NDArray[np.generic]], output: str) -> Floats:
    (count,) = {len(array) for array in given.values()}
    try:
        (found,) = open_session(graph).run([output], given)
    except REFUSALS as error:
        raise UnusablePair(f"it does not run on {count} at once: {first_line(error)}") from error
    if found.ndim != 2 or len(found) != count or not np.isfinite(found).all():
        raise UnusablePair(f"expected a row of finite numbers for each of {count}, got {list(found.shape)}")
    vectors: Floats = found.astype(np.float32)
    return vectors


def _unit(vectors: Floats) -> Floats:
    lengths = np.sqrt((vectors * vectors).sum(1, keepdims=True) + _TINY)
    return np.asarray(vectors / lengths, np.float32)
