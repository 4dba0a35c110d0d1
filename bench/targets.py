"""Images to invert."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.graphs import Graphs

SEED = 20_000


def targets(graphs: Graphs, count: int) -> NDArray[Any]:
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
