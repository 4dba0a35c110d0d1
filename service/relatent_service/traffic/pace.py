"""What the engine's work costs: seconds of its time for one run of each graph, measured as it goes.

Calls at the engine share it, so how long one is there says little of what it costs. Each is charged its
share instead: while n of them are there, an n-th of the time that passes. What all are charged adds up to
the time in which the engine had something to do, whatever it batches and whatever graphs it runs; that is
what calls to come can be held against.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from relatent_service.traffic.running_mean import RunningMean

INITIAL_SECONDS_A_RUN = 0.02
"""What a graph is taken to cost before it was measured."""
SMOOTHING = 0.1
"""Weight of the newest measurement among all of a graph's."""
INITIAL_CHUNK_SECONDS, CHUNK_SMOOTHING = 1.0, 0.3
"""What a chunk is taken to last before one was measured, and the newest one's weight."""
INITIAL_ANSWER_SECONDS, ANSWER_SMOOTHING = 0.2, 0.2
"""The same of what comes after an inversion's last step."""
STALE_SECONDS = 60.0
"""A cost that was not measured for so long may have changed."""


class _Cost:
    """What a graph was charged and the runs it did, both smoothed: a short chunk counts for less.

    A graph computes as many steps as the sample of its batch that has most, so one step in company of ten
    is charged nearly as much as they are; of what all of them are charged it is the smallest part.
    """

    def __init__(self) -> None:
        self._charged = RunningMean(0.0, SMOOTHING)
        self._runs = RunningMean(0.0, SMOOTHING)
        self.measured = 0.0

    @property
    def seconds(self) -> float:
        return self._charged.value / self._runs.value

    def measure(self, runs: int, charged: float) -> None:
        self._charged.measure(charged)
        self._runs.measure(runs)


class _Chunks:
    """How long chunks of a refinement graph last for who waits for them, company and all.

    A short one lasts as long as the longest of its batch, so it tells as little of a step as it has steps.
    """

    def __init__(self) -> None:
        self.seconds = RunningMean(INITIAL_CHUNK_SECONDS, CHUNK_SMOOTHING)
        self._steps = RunningMean(0.0, CHUNK_SMOOTHING)

    @property
    def step_seconds(self) -> float:
        return self.seconds.value / self._steps.value if self._steps.value else 0.0

    def measure(self, steps: int, seconds: float) -> None:
        self.seconds.measure(seconds)
        self._steps.measure(steps)


class Pace:
    """The one owner of what was measured: what graphs cost, how long chunks and answers take.

    A run is one step of a refinement, or one sample through any other graph.

    Args:
        clock: seconds, from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._costs: dict[str, _Cost] = {}
        self._chunks: defaultdict[str, _Chunks] = defaultdict(_Chunks)
        self._answers: defaultdict[str, RunningMean] = defaultdict(
            lambda: RunningMean(INITIAL_ANSWER_SECONDS, ANSWER_SMOOTHING)
        )
        self._present = 0
        self._charged = 0.0
        """What a call would have been charged that was at the engine all along."""
        self._since = 0.0

    def cost(self, graph: str) -> float:
        """Seconds of the engine's time for one run of a graph."""
        return self._costs[graph].seconds if graph in self._costs else INITIAL_SECONDS_A_RUN

    def forget(self, graphs: Iterable[str]) -> None:
        """Take nothing that was measured so far for what graphs cost: first runs are the slowest."""
        for graph in graphs:
            self._costs.pop(graph, None)

    def is_stale(self, graph: str) -> bool:
        """Whether a graph was not measured for a long time."""
        return graph not in self._costs or self._clock() - self._costs[graph].measured > STALE_SECONDS

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
        cost = self._costs.setdefault(graph, _Cost())
        cost.measure(runs, charged)
        cost.measured = self._clock()

    def at_least(self, graph: str, runs: int, charged: float) -> None:
        """Take what a call was charged that had to be given up: its runs cost more than that."""
        if charged / runs > self.cost(graph):
            self.measure(graph, runs, charged)

    def chunk_seconds(self, graph: str) -> float:
        """How long a chunk of a refinement graph takes at the engine, outages left out."""
        return self._chunks[graph].seconds.value

    def step_seconds(self, graph: str) -> float:
        """How long a step of a refinement graph's chunks takes, whoever shares them; 0 before any."""
        return self._chunks[graph].step_seconds

    def measure_chunk(self, graph: str, steps: int, seconds: float) -> None:
        """Take how long a chunk of so many steps took at the engine, outages left out, as a measurement."""
        self._chunks[graph].measure(steps, seconds)

    def answer_seconds(self, pack: str) -> float:
        """How long an inversion's answer takes after its last step."""
        return self._answers[pack].value

    def measure_answer(self, pack: str, seconds: float) -> None:
        """Take how long an answer took after the last step as a measurement."""
        self._answers[pack].measure(seconds)

    def answer_at_least(self, pack: str, seconds: float) -> None:
        """Take how long an answer had taken that had to be given up: it takes longer than that."""
        self._answers[pack].at_least(seconds)

    def _pass_time(self) -> None:
        now = self._clock()
        if self._present:
            self._charged += (now - self._since) / self._present
        self._since = now
