"""Giving a network its weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def assign(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a network its weights without a copy; every name and shape must match.

    Args:
        network: evaluated and frozen afterwards.
        tensors: of any floating dtype; float32 ones are the network's own from now on.

    Raises:
        RuntimeError: a name or a shape does not match.
    """
    network.load_state_dict({name: tensor.to(torch.float32) for name, tensor in tensors.items()}, assign=True)
    network.eval().requires_grad_(False)
