"""An image-text pair: two networks that embed pictures and texts into one space, as CLIP's do."""

from __future__ import annotations

from dataclasses import dataclass

PIXELS, IMAGE_EMBEDS = "pixel_values", "image_embeds"
"""The image graph's input and output."""
IDS, MASK, TEXT_EMBEDS = "input_ids", "attention_mask", "text_embeds"
"""The text graph's inputs, of which the mask may be missing, and its output."""


@dataclass(frozen=True)
class ImageText:
    """An image-text pair, read and tried (`relatent_export.text.image_text`).

    Attributes:
        image: the image encoder in ONNX: `pixel_values`, float32 [B, 3, S, S], to `image_embeds`, float32
            [B, E].
        text: the text encoder in ONNX: `input_ids` and, if it takes one, `attention_mask`, both int64 or both
            int32, [B, T], to `text_embeds`, float32 [B, E].
        tokenizer: a `tokenizer.json` of the `tokenizers` library.
        side: S, height and width of the images in pixels.
        mean, std: of each channel: what the image encoder takes is (pixel - mean) / std, of pixels in [0, 1].
        context: T, tokens of a text.
        pad: the token that fills a text up.
        width: E, numbers of an embedding.
    """

    image: bytes
    text: bytes
    tokenizer: str
    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    context: int
    pad: int
    width: int
