"""The files of a pack that hold an image-text pair, called and laid out as exports of CLIP are.

vision_model.onnx           images to vectors
text_model.onnx             texts to vectors
tokenizer.json              what cuts texts into tokens
preprocessor_config.json    how images and texts are prepared

So a pack's folder is one that `relatent_export.text.image_text` reads.
"""

from __future__ import annotations

import json
from pathlib import Path

from relatent.core.text import TOKENIZER
from relatent_export.nets.image_text import ImageText
from relatent_export.text.preparing import PREPARING, read_preparing

VISION_MODEL, TEXT_MODEL = "vision_model.onnx", "text_model.onnx"
PAIR_FILES = (VISION_MODEL, TEXT_MODEL, TOKENIZER, PREPARING)

_OURS = ("context", "pad", "width")
"""What is kept of texts and vectors, where the preparation of images is."""


def pair_files(pair: ImageText) -> dict[str, bytes]:
    """The files of a pair, by name."""
    size = {"height": pair.side, "width": pair.side}
    prepared = {"image_mean": pair.mean, "image_std": pair.std, "size": size}
    prepared |= {name: getattr(pair, name) for name in _OURS}
    return {
        VISION_MODEL: pair.image,
        TEXT_MODEL: pair.text,
        TOKENIZER: pair.tokenizer.encode(),
        PREPARING: (json.dumps(prepared, indent=2) + "\n").encode(),
    }


def load_pair(folder: Path) -> ImageText | None:
    """Read a pack's pair; None where it has none.

    Raises:
        ValueError: what prepares images is not what it must be; names the file.
        OSError: a file cannot be read; names it.
    """
    path = folder / PREPARING
    if not path.exists():
        return None
    side, mean, std = read_preparing(path)
    try:
        kept = json.loads(path.read_text("utf-8"))
        context, pad, width = (int(kept[name]) for name in _OURS)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected {', '.join(_OURS)}, whole numbers: {error}") from error
    if side is None:
        raise ValueError(f"{path}: size: expected the side of images, got none")
    return ImageText(
        image=(folder / VISION_MODEL).read_bytes(),
        text=(folder / TEXT_MODEL).read_bytes(),
        tokenizer=(folder / TOKENIZER).read_text("utf-8"),
        side=side,
        mean=mean,
        std=std,
        context=context,
        pad=pad,
        width=width,
    )
