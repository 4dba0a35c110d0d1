"""safetensors: a header of names, types and places, then the numbers. There is nothing in it to run."""

from __future__ import annotations

from pathlib import Path

from safetensors import safe_open
from torch import Tensor

_MOST_HEADER = 1 << 27


def is_safetensors(head: bytes) -> bool:
    """Whether a file that starts with these bytes, 9 or more, is of this kind."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _MOST_HEADER


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read such a file.

    Returns:
        Its tensors by name, views of the file mapped into memory.

    Raises:
        Exception: it is damaged.
    """
    with safe_open(path, framework="pt", device="cpu") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
