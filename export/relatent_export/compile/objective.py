"""What an objective must offer to become a refinement graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Condition:
    """An input of the graph that is not optimised, one value a sample.

    Attributes:
        dtype: of the tensor.
        shape: without the batch axis.
        default: the number that fills it where a caller gives nothing.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    default: float = 0


class Objective(Protocol):
    """Per-sample losses of some parameters under some conditions.

    Samples must not see each other: the loss of one may depend only on its own row of every
    tensor. Then a sample's trajectory is the same whoever shares its batch.
    """

    @property
    def variables(self) -> Mapping[str, tuple[int, ...]]:
        """What is optimised: shapes without the batch axis, by name."""

    @property
    def carried(self) -> Mapping[str, tuple[int, ...]]:
        """What travels with the state unchanged, float32 (a starting point, say)."""

    @property
    def conditions(self) -> Mapping[str, Condition]:
        """The graph's other inputs, by name; `losses` sees the `weight.NAME`, `prepare` the others."""

    @property
    def weights(self) -> Mapping[str, float]:
        """The terms' default weights; each is a condition `weight.NAME` of shape [1]."""

    def prepare(self, conditions: Tensors) -> dict[str, Tensor]:
        """Compute once a call what all its steps share (a target's features, say)."""

    def losses(self, variables: Tensors, carried: Tensors, conditions: Tensors, prepared: Tensors) -> Tensor:
        """The loss of each sample, float32 [B]; of the conditions, it is given the weights."""
