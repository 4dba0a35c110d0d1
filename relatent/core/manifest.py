"""The manifest of a pack, `pack.toml`: read as today's format has it, whatever its own.

Format 1, which had one refinement and no methods, is read as a pack with the one method `hybrid`;
`relatent-export migrate` renews its manifest.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from relatent.core.spaces import Space

FORMAT = 2
EARLIER_FORMAT = 1
MANIFEST = "pack.toml"


class PackError(ValueError):
    """A pack that cannot be used; the message names the file and what was expected of it."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file that cannot be read."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise PackError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest, one of an earlier format as it would be in today's.

    Raises:
        PackError: it cannot be read, or is of another format.
    """
    try:
        with reading(path):
            manifest = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PackError(f"{path}: not TOML: {error}") from error
    match manifest.get("format"):
        case int(number) if number == FORMAT:
            return manifest
        case int(number) if number == EARLIER_FORMAT:
            return _renewed(path, manifest)
        case other:
            raise PackError(f"{path}: format: expected {EARLIER_FORMAT} or {FORMAT}, got {other!r}")


def _renewed(path: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of format 1 as one of format 2: its only refinement becomes the method `hybrid`."""
    try:
        refine, resolution = manifest["refine"], manifest["resolution"]
        rates = dict(refine["learning_rate"])
        if not manifest.get("encoder", True):
            rates.pop("encoder")
        hybrid = {
            "graph": "refine",
            "space": str(Space.W_PLUS),
            "max_steps": refine["max_steps"],
            "default_steps": refine["default_steps"],
            "rates": {**rates, "latent": refine["learning_rate"]["encoder"]},
            "terms": refine["weights"],
            "inputs": {"mask": {"dtype": "uint8", "shape": [resolution, resolution], "default": 255}},
            "state": refine["state"],
            "answer": {"w": "best_w"},
        }
    except (KeyError, TypeError) as error:
        raise PackError(f"{path}: {type(error).__name__}: {error}") from error
    rest = {key: value for key, value in manifest.items() if key != "refine"}
    return rest | {"format": FORMAT, "methods": {"hybrid": hybrid}}
