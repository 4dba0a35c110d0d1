"""A pack's graphs straight through ONNX Runtime, with nothing between."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from relatent.pack import InitialState, Pack
from service.engine.sessions import open_session

Array = NDArray[Any]


class Graphs:
    """The graphs of a pack, opened when first run, on all cores and as the engines open them.

    Args:
        pack: the pack.
        repository: the model repository that holds its graphs.
    """

    def __init__(self, pack: Pack, repository: Path) -> None:
        self.pack = pack
        self._repository = repository
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def run(self, kind: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a graph.

        Args:
            kind: `encode`, `map`, `synthesize`, `refine`, `assess` or `attributes`.
            inputs: one array an input, each with the same leading batch axis.

        Returns:
            One array an output.
        """
        if kind not in self._sessions:
            path = self._repository / f"{self.pack.name}_{kind}" / "1" / "model.onnx"
            self._sessions[kind] = open_session(path)
        session = self._sessions[kind]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    def encode(self, images: Array) -> Array:
        """Images uint8 [B, R, R, 3] to codes float32 [B, L, D]."""
        return self.run("encode", {"image": images})["w"]

    def synthesize(self, codes: Array) -> Array:
        """Codes float32 [B, L, D] to images uint8 [B, R, R, 3]."""
        return self.run("synthesize", {"w": codes})["image"]

    def sample(self, count: int, seed: int) -> Array:
        """Random images of the pack's own generator, uint8 [count, R, R, 3]."""
        z = np.random.default_rng(seed).standard_normal((count, self.pack.z_width), np.float32)
        codes = self.run("map", {"z": z, "psi": np.ones((count, 1), np.float32)})["w"]
        return self.synthesize(codes)

    def perceptual(self, images: Array, references: Array) -> Array:
        """Perceptual distance of each image to its reference, float32 [B]."""
        return self.run("assess", {"image": images, "reference": references})["perceptual"][:, 0]


class Refinement:
    """One batch under refinement: the optimiser's state and how far it is.

    Args:
        graphs: the graphs.
        targets: uint8 [B, R, R, 3].
        codes: where to start, float32 [B, L, D].
        learning_rate: Adam's step size.
    """

    def __init__(self, graphs: Graphs, targets: Array, codes: Array, learning_rate: float) -> None:
        self._graphs = graphs
        self.state = _initial_state(graphs.pack, codes)
        self._conditions = _conditions(graphs.pack, targets, learning_rate)
        self._batch = len(targets)
        self._losses: list[Array] = []

    @property
    def losses(self) -> Array:
        """The loss before each step so far, float32 [B, steps]."""
        return np.concatenate(self._losses, axis=1)

    @property
    def best(self) -> Array:
        """The best codes so far, float32 [B, L, D]."""
        return self.state["best_w"]

    def advance(self, steps: int) -> None:
        """Do `steps` more steps, in as many calls of the graph as that takes."""
        most = self._graphs.pack.refinement.max_steps
        for done in range(0, steps, most):
            inputs = {f"state.{name}": value for name, value in self.state.items()} | self._conditions
            chunk = min(steps - done, most)
            inputs["steps"] = np.full((self._batch, 1), chunk, np.int32)
            outputs = self._graphs.run("refine", inputs)
            self._losses.append(outputs["losses"][:, :chunk])
            self.state = {name: outputs[f"next.{name}"] for name in self.state}


def _initial_state(pack: Pack, codes: Array) -> dict[str, Array]:
    state = {}
    for name, tensor in pack.refinement.state.items():
        if tensor.initial is InitialState.CODE:
            state[name] = codes.astype(np.float32)
        else:
            value = np.inf if tensor.initial is InitialState.INFINITY else 0
            state[name] = np.full((len(codes), *tensor.shape), value, np.float32)
    return state


def _conditions(pack: Pack, targets: Array, learning_rate: float) -> dict[str, Array]:
    batch = len(targets)
    inputs: dict[str, Array] = {
        "target": targets,
        "mask": np.full(targets.shape[:3], 255, np.uint8),
        "learning_rate": np.full((batch, 1), learning_rate, np.float32),
    }
    for name, weight in pack.refinement.weights.items():
        inputs[f"weight.{name}"] = np.full((batch, 1), weight, np.float32)
    return inputs
