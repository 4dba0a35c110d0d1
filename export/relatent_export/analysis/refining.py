"""Refinement over the exported graphs, without a server: what reports, benches and tests measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from relatent.core.pack import InitialState, Pack

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def _open(model: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


class ExportedPack:
    """A pack's graphs, opened with ONNX Runtime when first run.

    Args:
        pack: the pack.
        repository: the model repository that holds its graphs.
        open_session: opens a graph.
    """

    def __init__(
        self,
        pack: Pack,
        repository: Path,
        open_session: Callable[[Path], onnxruntime.InferenceSession] = _open,
    ) -> None:
        self.pack = pack
        self._repository, self._open = repository, open_session
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def encode(self, images: Bytes) -> Floats:
        """Images [B, R, R, 3] to codes [B, L, D]."""
        w: Floats = self.run("encode", {"image": images})["w"]
        return w

    def synthesize(self, codes: Floats) -> Bytes:
        """Codes [B, L, D] to images [B, R, R, 3]."""
        image: Bytes = self.run("synthesize", {"w": codes})["image"]
        return image

    def assess(self, codes: Floats, targets: Bytes) -> dict[str, Floats]:
        """Distances [B] between codes' images and targets, by metric."""
        distances = self.run("assess", {"image": self.synthesize(codes), "reference": targets})
        return {name: value[:, 0] for name, value in distances.items()}

    def mean_codes(self, count: int) -> Floats:
        """The mean latent, once a sample."""
        return np.repeat(self.pack.mean[None], count, 0)

    def path(self, role: str) -> Path:
        """The file of a graph."""
        return self._repository / f"{self.pack.name}_{role}" / "1" / "model.onnx"

    def run(self, role: str, feed: Mapping[str, Any]) -> dict[str, Any]:
        """Run a graph.

        Args:
            role: `encode`, `map`, `synthesize`, `refine`, `assess` or `attributes`.
            feed: one array an input, each with the same leading batch axis.

        Returns:
            One array an output.
        """
        if role not in self._sessions:
            self._sessions[role] = self._open(self.path(role))
        session = self._sessions[role]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(feed)), strict=True))


class Refinement:
    """One batch under refinement.

    Args:
        exported: the graphs.
        codes: where to start, [B, L, D].
        targets: [B, R, R, 3].
        learning_rate: Adam's step size.

    Attributes:
        state: the optimiser's, by name; replaced by every step, never changed in place, so that
            `rewind` can go back to it.
    """

    def __init__(self, exported: ExportedPack, codes: Floats, targets: Bytes, learning_rate: float) -> None:
        self._exported, self._batch = exported, len(codes)
        self._losses: list[Floats] = []
        refinement = exported.pack.refinement
        self.state: dict[str, Floats] = {}
        for name, tensor in refinement.state.items():
            fill = {InitialState.ZEROS: 0.0, InitialState.INFINITY: np.inf}.get(tensor.initial)
            shape = (self._batch, *tensor.shape)
            self.state[name] = codes if fill is None else np.full(shape, fill, np.float32)
        weights = {f"weight.{name}": weight for name, weight in refinement.weights.items()}
        self._conditions: dict[str, Any] = {
            "target": targets,
            "mask": np.full(targets.shape[:3], 255, np.uint8),
            **{
                name: np.full((self._batch, 1), value, np.float32)
                for name, value in {"learning_rate": learning_rate, **weights}.items()
            },
        }

    @property
    def codes(self) -> Floats:
        """The best code of each sample so far, [B, L, D]."""
        return self.state["best_w"]

    @property
    def losses(self) -> Floats:
        """The loss before each step so far, [B, steps]."""
        return np.concatenate(self._losses, axis=1)

    def rewind(self, state: dict[str, Floats], steps: int) -> None:
        """Go back to an earlier state, of so many steps."""
        self.state = state
        self._losses = [self.losses[:, :steps]]

    def advance(self, steps: int) -> None:
        """Do so many steps, in as many calls of the graph as that takes."""
        most = self._exported.pack.refinement.max_steps
        for done in range(0, steps, most):
            feed = {f"state.{name}": value for name, value in self.state.items()}
            count = np.full((self._batch, 1), min(most, steps - done), np.int32)
            answer = self._exported.run("refine", {**feed, **self._conditions, "steps": count})
            self._losses.append(answer["losses"][:, : count[0, 0]])
            self.state = {name: answer[f"next.{name}"] for name in self.state}
