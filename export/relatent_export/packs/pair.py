"""The files of a pack that hold an image-text pair.

image_encoder.onnx   images to vectors
text_encoder.onnx    texts to vectors
tokenizer.json       what cuts texts into tokens
image_text.json      how images and texts are prepared for them
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from relatent.core.text import TOKENIZER
from relatent_export.nets.image_text import ImageText
from relatent_export.writing import named

IMAGE_ENCODER, TEXT_ENCODER, PREPARING = "image_encoder.onnx", "text_encoder.onnx", "image_text.json"
PAIR_FILES = (IMAGE_ENCODER, TEXT_ENCODER, TOKENIZER, PREPARING)

_FACTS = ("side", "mean", "std", "context", "pad", "width")


def pair_files(pair: ImageText) -> dict[str, bytes]:
    """The files of a pair, by name."""
    facts = {name: getattr(pair, name) for name in _FACTS}
    return {
        IMAGE_ENCODER: pair.image,
        TEXT_ENCODER: pair.text,
        TOKENIZER: pair.tokenizer.encode(),
        PREPARING: (json.dumps(facts, indent=2) + "\n").encode(),
    }


def load_pair(folder: Path) -> ImageText | None:
    """Read a pack's pair; None where it has none.

    Raises:
        ValueError: `image_text.json` is not what it must be.
        OSError: a file cannot be read; names it.
    """
    path = folder / PREPARING
    if not path.exists():
        return None
    try:
        facts = json.loads(path.read_text())
        known: dict[str, Any] = {name: facts[name] for name in _FACTS}
        known |= {name: tuple(map(float, known[name])) for name in ("mean", "std")}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected {', '.join(_FACTS)}: {error}") from error
    with named(folder):
        image, text = ((folder / name).read_bytes() for name in (IMAGE_ENCODER, TEXT_ENCODER))
        return ImageText(image, text, (folder / TOKENIZER).read_text("utf-8"), **known)
