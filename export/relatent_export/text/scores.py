"""Text scores: how much more an image is like one text than another, as a graph that reads attributes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from relatent_export.attributes.graphs import IMAGE, READINGS
from relatent_export.compile.onnx import EXAMPLES, clean, export_module
from relatent_export.nets.image_text import ImageText
from relatent_export.nets.pixels import to_float
from relatent_export.text.encoding import ImageEmbedding, embed_texts

_SCALE = 100.0
"""Of differences of cosines: as CLIP's own scale, which makes numbers of a size that people read."""


class TextScores(nn.Module):
    """Images to scores.

    Args:
        model: the pair.
        prompts: for each score what is asked for, and what without it.
        resolution: R, height and width of the images.

    Raises:
        ValueError: there are no prompts, or a text is blank or too long; names its place.
    """

    directions: Tensor

    def __init__(self, model: ImageText, prompts: Sequence[tuple[str, str]], resolution: int) -> None:
        super().__init__()
        if not prompts:
            raise ValueError("prompts: expected one or more, got none")
        self.embedding = ImageEmbedding(model, resolution)
        asked, neutral = (torch.from_numpy(embed_texts(model, each)) for each in zip(*prompts, strict=True))
        self.register_buffer("directions", _SCALE * (asked - neutral).t().contiguous())

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [B, R, R, 3] to float32 [B, K]."""
        scores: Tensor = self.embedding(to_float(image)) @ self.directions
        return scores


def score_graph(model: ImageText, prompts: Sequence[tuple[str, str]], resolution: int) -> bytes:
    """Make a graph that scores a generator's images by texts.

    A score is 100 (cos(image, prompt) - cos(image, neutral)). The graph is an attribute network as packs have
    them, and as `relatent_export.attributes` takes it: opset 18, without a name for its numbers.

    Args:
        model: the pair.
        prompts: for each score a prompt and the same without what is asked for, such as "an old person" and
            "a person".
        resolution: R, height and width of the generator's images.

    Returns:
        A graph in ONNX, uint8 [B, R, R, 3] `image` to float32 [B, K] `attributes`.

    Raises:
        ValueError: there are no prompts, or a text is blank or too long; names its place.
    """
    module = TextScores(model, prompts, resolution).eval()
    image = torch.randint(0, 256, (EXAMPLES, resolution, resolution, 3), dtype=torch.uint8)
    graph = clean(export_module(module, [image], [IMAGE], [READINGS]))
    return graph.SerializeToString(deterministic=True)
