"""Running graphs and objectives side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from relatent_export.compile.step import Bases, state_shapes
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import reconstruction_objective

Arrays = dict[str, Any]


def run(session: onnxruntime.InferenceSession, feed: Arrays) -> Arrays:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def first_state(networks: Networks, code: NDArray[Any], bases: Bases | None = None) -> Arrays:
    """The state before the first step, as `state.*` inputs; in the networks' own bases unless told."""
    shapes = state_shapes(reconstruction_objective(networks), networks.bases if bases is None else bases)
    state: Arrays = {}
    for name, shape in shapes.items():
        if name in ("w", "best_w", "anchor"):
            state[f"state.{name}"] = code
        else:
            fill = np.inf if name == "best_loss" else 0.0
            state[f"state.{name}"] = np.full((len(code), *shape), fill, np.float32)
    return state


def conditions(
    batch: int, side: int, steps: int | list[int], seed: int = 0, rate: float = 0.02, **weights: float
) -> Arrays:
    """Random targets, a mask that is grey in places, and the terms' weights."""
    random = np.random.default_rng(seed)
    chosen = {"pixel": 1.0, "perceptual": 0.1, "anchor": 0.01, **weights}
    counts = [steps] * batch if isinstance(steps, int) else steps
    return {
        "target": random.integers(0, 256, (batch, side, side, 3), dtype=np.uint8),
        "mask": random.integers(64, 256, (batch, side, side), dtype=np.uint8),
        "steps": np.array(counts, np.int32)[:, None],
        "learning_rate": np.full((batch, 1), rate, np.float32),
        **{f"weight.{name}": np.full((batch, 1), value, np.float32) for name, value in chosen.items()},
    }


def next_state(answer: Arrays) -> Arrays:
    return {n.replace("next.", "state.", 1): v for n, v in answer.items() if n.startswith("next.")}


def autograd_refine(
    objective: Any, basis: Tensor, code: NDArray[Any], feed: Arrays, steps: int
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The same refinement by plain autograd and torch's own Adam, over z of w = code + basis z.

    Returns:
        The first gradient, the last code and the loss before each step.
    """
    given = {name: torch.from_numpy(value) for name, value in feed.items()}
    anchor = torch.from_numpy(code)
    z = torch.zeros(len(code), basis.shape[1], requires_grad=True)
    adam = torch.optim.Adam([z], float(feed["learning_rate"][0, 0]))
    with torch.no_grad():
        prepared = objective.prepare(given)
    losses: list[Tensor] = []
    first = torch.empty(0)
    for step in range(steps):
        w = anchor + (z @ basis.t()).view_as(anchor)
        loss = objective.losses({"w": w}, {"anchor": anchor}, given, prepared)
        adam.zero_grad()
        loss.sum().backward()
        if step == 0:
            assert z.grad is not None
            first = z.grad.clone()
        adam.step()
        losses.append(loss.detach())
    return first, anchor + (z.detach() @ basis.t()).view_as(anchor), losses
