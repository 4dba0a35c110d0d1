"""What the engine's work costs: seconds of its time for one run of each graph, measured as it goes.

Calls at the engine share it, so how long one is there says little of what it costs. Each is charged its
share instead: while n of them are there, an n-th of the time that passes. What all are charged adds up to
the time in which the engine had something to do, whatever it batches and whatever graphs it runs; that is
what calls to come can be held against.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from service.running_mean import RunningMean

INITIAL_SECONDS_A_RUN = 0.02
"""What a graph is taken to cost before it was measured."""
SMOOTHING = 0.1
"""Weight of the newest measurement in the running mean of a graph's cost."""


class Pace:
    """The one owner of what graphs cost and of how many calls are at the engine.

    A run is one step of a refinement, or one sample through any other graph.

    Args:
        clock: seconds, from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._costs: dict[str, RunningMean] = {}
        self._present = 0
        self._charged = 0.0
        """What a call would have been charged that was at the engine all along."""
        self._since = 0.0

    def cost(self, graph: str) -> float:
        """Seconds of the engine's time for one run of a graph."""
        return self._costs[graph].value if graph in self._costs else INITIAL_SECONDS_A_RUN

    def enter(self) -> float:
        """A call goes to the engine; what it returns is to be handed to `leave`."""
        self._pass_time()
        self._present += 1
        return self._charged

    def leave(self, entered: float) -> float:
        """A call comes back from the engine; the seconds it is charged."""
        self._pass_time()
        self._present -= 1
        return self._charged - entered

    def measure(self, graph: str, runs: int, charged: float) -> None:
        """Take what a call was charged for so many runs of a graph as a measurement."""
        mean = self._costs.setdefault(graph, RunningMean(INITIAL_SECONDS_A_RUN, SMOOTHING))
        mean.measure(charged / runs)

    def _pass_time(self) -> None:
        now = self._clock()
        if self._present:
            self._charged += (now - self._since) / self._present
        self._since = now
