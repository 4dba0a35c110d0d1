"""The networks of learned directions, as a pack keeps them and as its graphs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from torch import nn

from relatent.core.graphs import move_role
from relatent.core.pack import Pack
from relatent_export.attributes.graphs import read_graph
from relatent_export.compile.onnx import EXAMPLES, clean, export_module


def move_file(direction: str) -> str:
    """The file of a learned direction's network in a pack."""
    return f"{move_role(direction)}.onnx"


def move_graph(network: nn.Module, shape: tuple[int, ...]) -> bytes:
    """A network as a graph: `w`, float32 [B, L, D], and `strength` [B, 1] to `moved` [B, L, D].

    Args:
        network: takes them.
        shape: of a code, [L, D].
    """
    random = torch.Generator().manual_seed(0)
    inputs = [torch.randn(EXAMPLES, *shape, generator=random), torch.ones(EXAMPLES, 1)]
    model = clean(export_module(network.eval(), inputs, ["w", "strength"], ["moved"]))
    return model.SerializeToString(deterministic=True)


def move_graphs(folder: Path, pack: Pack) -> Iterator[tuple[str, onnx.ModelProto]]:
    """The graphs of a pack's learned directions, by their roles.

    Raises:
        ValueError, OSError: a file is missing or no graph; names it.
    """
    for name, direction in pack.directions.items():
        if direction.learned:
            yield move_role(name), read_graph(folder / move_file(name))
