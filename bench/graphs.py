"""A pack's graphs straight through ONNX Runtime, with nothing between; and images to invert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent_export.analysis.refining import Bytes, ExportedPack
from relatent_service.engine.sessions import open_session

Array = NDArray[Any]

SEED = 20_000
"""Of the samples that are inverted where there are no drawings."""


class Graphs(ExportedPack):
    """The graphs of a pack, on all cores and opened as the engines open them.

    Args:
        pack: the pack.
        repository: the model repository that holds its graphs.
    """

    def __init__(self, pack: Pack, repository: Path) -> None:
        super().__init__(pack, repository, open_session)

    def sample(self, count: int, seed: int) -> Bytes:
        """Random images of the pack's own generator, uint8 [count, R, R, 3]."""
        z = np.random.default_rng(seed).standard_normal((count, self.pack.z_width), np.float32)
        return self.synthesize(self.run("map", {"z": z, "psi": np.ones((count, 1), np.float32)})["w"])


def targets(graphs: Graphs, count: int) -> Array:
    """Images to invert, the same ones every time.

    For the demo pack they are held-out drawings, which the generator has never seen; any other
    pack's are samples of its own generator.

    Returns:
        uint8 [count, R, R, 3].
    """
    if graphs.pack.name != "demo":
        return graphs.sample(count, SEED)
    from relatent_export.demo.world import Drawings, draw  # torch, for this pack only

    drawings, _ = draw(Drawings.HELD_OUT, count, graphs.pack.resolution)
    return np.ascontiguousarray(drawings.permute(0, 2, 3, 1).numpy())
