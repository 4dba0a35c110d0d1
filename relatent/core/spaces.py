"""The spaces that latent codes and directions live in, and what a code of each is made of.

A code is named tensors, its parts. The part `w` is what edits move; the others are carried along. Which
parts a pack's codes of a space have, and of which shape, its manifest says (`relatent.core.pack`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

import numpy as np

CODE, STYLES = "w", "styles"
"""The parts of a code that edits move: all but directions of S the first, these the other."""

PART_TYPES = ("float16", "float32")
"""What a part may hold."""


class Space(StrEnum):
    """A latent space of a StyleGAN-like generator of L layers, whose codes are D wide."""

    Z = "z"
    """Before the mapping network, float32 [Z]: what samples are drawn from. Inversions have no code here."""
    W = "w"
    """One vector for all layers: float32 [D]."""
    W_PLUS = "w+"
    """A vector for each layer: float32 [L, D] (Abdal et al., "Image2StyleGAN", 2019)."""
    STYLE = "s"
    """W+ and what is added to the styles that the layers make of it, float32 [S] for all channels of all
    layers: StyleSpace (Wu et al., "StyleSpace Analysis", 2021)."""
    FEATURE = "feature"
    """W+ and an offset of the features after one layer."""
    LAYERED = "layered"
    """W+, an offset of the features after one layer and residuals of those after all before it (Bau et al.,
    "Seeing What a GAN Cannot Generate", 2019)."""
    MULTI = "multi"
    """N codes of W+, float32 [N, L, D], whose features are blended by weights for each channel (Gu et al.,
    "Image Processing Using Multi-Code GAN Prior", 2020)."""
    P = "p"
    """W before the mapping network's last leaky ReLU (`relatent.core.p_space`), of directions alone."""


PLAIN = (Space.W, Space.W_PLUS)
"""Spaces whose codes are their part `w` and nothing else."""
OF_DIRECTIONS = (Space.Z, *PLAIN, Space.P, Space.STYLE)
"""Spaces that directions may be of."""
WITHOUT_CODES = (Space.Z, Space.P)
"""Spaces that directions alone are of: a pack's codes are of none of them."""


@dataclass(frozen=True)
class CodePart:
    """One of the tensors that a code is made of.

    Attributes:
        dtype: NumPy's name of it, of `PART_TYPES`.
        shape: without the batch axis.
    """

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class CodeParts:
    """What a pack's codes of a space are made of.

    Attributes:
        graph: role of the graph that makes their images.
        parts: by name, `w` the first.
    """

    graph: str
    parts: Mapping[str, CodePart]

    @property
    def read_graph(self) -> str:
        """Role of the graph that makes their images and reads the attributes off them."""
        return self.graph.replace("synthesize", "read", 1)

    @property
    def bytes(self) -> int:
        """Of a code."""
        return sum(np.dtype(part.dtype).itemsize * prod(part.shape) for part in self.parts.values())


def read_code_parts(space: Space, table: Mapping[str, Any]) -> CodeParts:
    """Read what codes of a space are made of off its table in a manifest.

    Raises:
        ValueError, KeyError, TypeError: a field is missing or not what it must be.
    """
    parts = {}
    for name, entry in table["parts"].items():
        if (dtype := entry["dtype"]) not in PART_TYPES:
            what = f"spaces.{space}.parts.{name}.dtype"
            raise ValueError(f"{what}: expected {' or '.join(PART_TYPES)}, got {dtype!r}")
        parts[name] = CodePart(entry["dtype"], tuple(int(side) for side in entry["shape"]))
    if CODE not in parts:
        raise ValueError(f"spaces.{space}.parts: expected a part {CODE}")
    return CodeParts(str(table["graph"]), {CODE: parts.pop(CODE), **parts})


def code_parts_table(shape: CodeParts) -> dict[str, Any]:
    """The table of a space's codes in a manifest."""
    parts = {name: {"dtype": part.dtype, "shape": list(part.shape)} for name, part in shape.parts.items()}
    return {"graph": shape.graph, "parts": parts}
