"""Refinement over the exported graphs, without a server: what reports, benches and tests measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.graphs import Role
from relatent.core.methods import Method
from relatent.core.noise import noise
from relatent.core.pack import Pack
from relatent.core.refinement import answer_of, graph_inputs, initial_state, next_state, state_inputs
from relatent.core.spaces import CODE

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

    def encode(self, images: Bytes, role: str = Role.ENCODE) -> Floats:
        """Images [B, R, R, 3] to codes [B, L, D]."""
        w: Floats = self.run(role, {"image": images})["w"]
        return w

    def synthesize(self, codes: Floats) -> Bytes:
        """Codes of W+, [B, L, D], to images [B, R, R, 3]."""
        image: Bytes = self.run(Role.SYNTHESIZE, {"w": codes})["image"]
        return image

    def images(self, codes: Codes) -> Bytes:
        """Codes of any space, B of them, to images [B, R, R, 3]."""
        parts = codes.broadcast(self.pack.layers).parts
        image: Bytes = self.run(self.pack.spaces[codes.space].graph, parts)["image"]
        return image

    def assess(self, codes: Floats, targets: Bytes) -> dict[str, Floats]:
        """Distances [B] between codes' images and targets, by metric."""
        return self.compare(self.synthesize(codes), targets)

    def compare(self, images: Bytes, targets: Bytes) -> dict[str, Floats]:
        """Distances [B] between images and targets, both [B, R, R, 3], by metric."""
        distances = self.run(Role.ASSESS, {"image": images, "reference": targets})
        return {name: value[:, 0] for name, value in distances.items()}

    def mean_codes(self, count: int) -> Floats:
        """The mean latent, once a sample."""
        return np.repeat(self.pack.mean[None], count, 0)

    def path(self, role: str) -> Path:
        """The file of a graph."""
        return self._repository / self.pack.graph(role) / "1" / "model.onnx"

    def run(self, role: str, feed: Mapping[str, Any]) -> dict[str, Any]:
        """Run a graph.

        Args:
            role: of `relatent.core.graphs`, or of a method's refinement graph.
            feed: one array an input, each with the same leading batch axis.

        Returns:
            One array an output.
        """
        if role not in self._sessions:
            self._sessions[role] = self._open(self.path(role))
        session = self._sessions[role]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(feed)), strict=True))


class ExportedRefinement:
    """One batch under refinement by a method, the pack's default unless told otherwise.

    Args:
        exported: the graphs.
        codes: where to start, [B, L, D].
        targets: [B, R, R, 3].
        learning_rate: Adam's step size.
        method: the way of inverting.
        further: what the method's further inputs hold, by name, [B, ...].

    Attributes:
        state: the optimiser's, by name; replaced by every step, never changed in place, so that
            `rewind` can go back to it.
    """

    def __init__(
        self,
        exported: ExportedPack,
        codes: Floats,
        targets: Bytes,
        learning_rate: float,
        method: Method | None = None,
        further: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        self._exported, self._batch = exported, len(codes)
        self._losses: list[Floats] = []
        self._method = method or exported.pack.default_method
        self.state = initial_state(self._method, codes, self._drawn())
        self._inputs = graph_inputs(self._method, targets, learning_rate, self._method.terms, further or {})

    @property
    def codes(self) -> Floats:
        """The best code of each sample so far, [B, L, D]; what edits move of it."""
        codes: Floats = self.state[self._method.answer[CODE]]
        return codes

    @property
    def answer(self) -> Codes:
        """The best code of each sample so far, whole."""
        return answer_of(self._method, self._exported.pack.spaces[self._method.space], self.state)

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
        assert self._method.graph is not None or steps == 0, "it ends where it starts"
        most = self._method.max_steps
        for done in range(0, steps, most):
            count = np.full((self._batch, 1), min(most, steps - done), np.int32)
            inputs = {**state_inputs(self.state), **self._inputs, "steps": count}
            answer = self._exported.run(self._method.graph or "", inputs)
            self._losses.append(answer["losses"][:, : count[0, 0]])
            self.state = next_state(self._method, answer)

    def _drawn(self) -> Floats | None:
        """The samples' codes that the state begins with besides, as the service draws them: [N, L, D]."""
        pack, count = self._exported.pack, self._method.codes - 1
        if not count:
            return None
        z = np.stack([noise(seed, pack.z_width) for seed in range(count)])
        w: Floats = self._exported.run(Role.MAP, {"z": z, "psi": np.ones((count, 1), np.float32)})["w"]
        return w
