"""What the rest of the service knows of an engine: named graphs, arrays in, arrays out.

Every graph is stateless, so a call that failed may be repeated, here or on another replica.

    EngineError
    ├── EngineUnavailable   no answer could be had; repeat the call
    │   └── EngineConfused  a worker was given up, and calls might get the answers of others
    ├── EngineTimedOut      no answer within the time given
    └── EngineRejected      the engine refused the call; repeating it will not help
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class EngineError(Exception):
    """A graph could not be run."""


class EngineUnavailable(EngineError):
    """No answer could be had; the same call may go through later."""


class EngineConfused(EngineUnavailable):
    """A worker of Triton's was given up with calls under way, and others might get their answers."""


class EngineTimedOut(EngineError):
    """No answer within the time given."""


class EngineRejected(EngineError):
    """The engine refused the call; repeating it will not help."""


class CutShort(Exception):
    """The cause of an EngineTimedOut or a cancellation where an engine asks several servers in turn.

    Attributes:
        seconds: at the server asked last; those before it were away.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"after {seconds:.3f} s at this server")
        self.seconds = seconds


@dataclass(frozen=True)
class TensorSpec:
    """A graph's input or output.

    Attributes:
        dtype: NumPy's.
        shape: without the batch axis.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """One graph of a pack, as its configuration describes it.

    Attributes:
        name: PACK_encode, PACK_map, PACK_synthesize, PACK_refine, PACK_assess or PACK_attributes.
        max_batch: most samples of one call.
        inputs, outputs: by name.
        parameters: `relatent.revision` among them.
    """

    name: str
    max_batch: int
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    parameters: Mapping[str, str] = field(default_factory=dict)


class Answer(NamedTuple):
    """What a graph gave.

    Attributes:
        outputs: one array an output, by name, each with the same leading batch axis.
        seconds: that it took; attempts that failed before, here or at another server, left out.
    """

    outputs: dict[str, Array]
    seconds: float


class Engine(Protocol):
    """Runs graphs. One engine serves all packs of a server."""

    @property
    def graphs(self) -> Mapping[str, Graph]:
        """Every graph, by name; empty before `start`."""

    async def start(self) -> None:
        """Get ready; returns when every graph answers.

        Raises:
            EngineUnavailable: it does not come up.
        """

    async def healthy(self) -> bool:
        """Whether every graph would answer now."""

    async def infer(self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None) -> Answer:
        """Run a graph.

        Args:
            graph: its name.
            inputs: one array an input, each with the same leading batch axis, at most `max_batch`.
            timeout: seconds to wait at most.

        Raises:
            EngineUnavailable, EngineTimedOut, EngineRejected: as their names say.
        """

    async def stop(self) -> None:
        """Let go of everything; the engine may be started again."""
