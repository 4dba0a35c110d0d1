"""What a generator's tensors are called wherever they are kept: not always as our modules call them.

The names are in packs' weights, in the revision that codes belong to, in the exported graphs and in what a
training goes on from, so they stay as they once were.
"""

from __future__ import annotations

_STORED = {"const": "constant", "to_rgb": "colour", "to_rgbs": "colours"}
"""By our name of a part, the one that is kept."""

_OURS = {stored: ours for ours, stored in _STORED.items()}


def stored_name(name: str) -> str:
    """The kept name of a tensor by our dotted one."""
    return ".".join(_STORED.get(part, part) for part in name.split("."))


def our_name(name: str) -> str:
    """Our name of a tensor by the dotted one that is kept."""
    return ".".join(_OURS.get(part, part) for part in name.split("."))
