"""Refinement over the exported graphs, without a server: what the report and the tests measure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from relatent.pack import InitialState, Pack

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Reached:
    """Where a batch is after some steps.

    Attributes:
        steps: done so far.
        codes: the best code of each sample so far, float32 [B, L, D].
    """

    steps: int
    codes: Floats


class ExportedPack:
    """A pack's graphs, opened with ONNX Runtime."""

    def __init__(self, pack: Pack, repository: Path) -> None:
        self.pack = pack
        self._sessions = {
            role: onnxruntime.InferenceSession(
                repository / f"{pack.name}_{role}" / "1" / "model.onnx", providers=["CPUExecutionProvider"]
            )
            for role in ("encode", "synthesize", "refine", "assess")
        }

    def encode(self, images: Bytes) -> Floats:
        """Images [B, R, R, 3] to codes [B, L, D]."""
        w: Floats = self._run("encode", {"image": images})["w"]
        return w

    def synthesize(self, codes: Floats) -> Bytes:
        """Codes [B, L, D] to images [B, R, R, 3]."""
        image: Bytes = self._run("synthesize", {"w": codes})["image"]
        return image

    def assess(self, codes: Floats, targets: Bytes) -> dict[str, Floats]:
        """Distances [B] between codes' images and targets, by metric."""
        distances = self._run("assess", {"image": self.synthesize(codes), "reference": targets})
        return {name: value[:, 0] for name, value in distances.items()}

    def mean_codes(self, count: int) -> Floats:
        """The mean latent, once a sample."""
        return np.repeat(self.pack.mean[None], count, 0)

    def refine(self, codes: Floats, targets: Bytes, steps: int, learning_rate: float) -> Iterator[Reached]:
        """Refine codes towards targets; yields after every call of the graph."""
        refinement, batch = self.pack.refinement, len(codes)
        state = {}
        for name, tensor in refinement.state.items():
            fill = {InitialState.ZEROS: 0.0, InitialState.INFINITY: np.inf}.get(tensor.initial)
            state[name] = codes if fill is None else np.full((batch, *tensor.shape), fill, np.float32)
        constant = {
            "target": targets,
            "mask": np.full(targets.shape[:3], 255, np.uint8),
            "learning_rate": np.full((batch, 1), learning_rate, np.float32),
            **{f"weight.{n}": np.full((batch, 1), w, np.float32) for n, w in refinement.weights.items()},
        }
        done = 0
        while done < steps:
            count = min(refinement.max_steps, steps - done)
            feed = {f"state.{name}": value for name, value in state.items()}
            feed["steps"] = np.full((batch, 1), count, np.int32)
            answer = self._run("refine", {**feed, **constant})
            state = {name: answer[f"next.{name}"] for name in state}
            done += count
            yield Reached(done, state["best_w"])

    def _run(self, role: str, feed: dict[str, Any]) -> dict[str, Any]:
        session = self._sessions[role]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, feed), strict=True))
