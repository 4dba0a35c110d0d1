"""Telling processes that hang from those that take their time.

A worker may rightly be busy for minutes, so time alone says nothing. One that hangs is stopped, or it sleeps,
every thread of it, though somebody waits for it. A process that the machine is too busy to run does not
sleep: it is ready to run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

from relatent_service.engine.embedded.processes import Activity, activity_of, sleeps

LOOK_SECONDS = 1.0
SUSPICIOUS_LOOKS = 2
"""After so many in a row no calls should be given any more."""
LOOKS = 6
"""After so many in a row it hangs. Looks are counted, not seconds: of a machine that was suspended, this
process has missed what the others have."""
IDLE_SECONDS = 0.05
"""Of a processor, from one look to the next: what a worker's own timers take is less."""


class Calls:
    """The calls under way, by graph, and since when."""

    def __init__(self) -> None:
        self._began: dict[object, tuple[str, float]] = {}

    @contextmanager
    def under_way(self, graph: str) -> Iterator[None]:
        """Count a call while it is waited for."""
        key = object()
        self._began[key] = (graph, time.monotonic())
        try:
            yield
        finally:
            del self._began[key]

    def since(self, moment: float) -> set[str]:
        """Graphs with a call that began before a moment of the monotonic clock and is under way still."""
        return {graph for graph, began in self._began.values() if began < moment}


class Watch:
    """Looks after the processes of an embedded Triton.

    Args:
        triton: process id.
        workers: the graph of each, by process id.
        calls: those under way.
        answers: whether Triton itself answers.

    Attributes:
        suspicious: whether something seems to hang.
    """

    def __init__(
        self, triton: int, workers: Mapping[int, str], calls: Calls, answers: Callable[[], Awaitable[bool]]
    ) -> None:
        self.suspicious = False
        self._triton, self._workers, self._calls, self._answers = triton, workers, calls, answers
        self._before: dict[int, Activity] = {}
        self._looks = dict.fromkeys((triton, *workers), 0)

    async def until_one_hangs(self) -> str:
        """Wait until a process surely hangs; which one, and how it shows."""
        looked = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            awaited = self._calls.since(looked)
            looked = time.monotonic()
            wanted = {worker for worker, graph in self._workers.items() if graph in awaited}
            if not await self._answers():
                wanted.add(self._triton)
            for process in self._looks:
                reason = self._look(process, process in wanted)
                self._looks[process] = self._looks[process] + 1 if reason else 0
                if reason and self._looks[process] >= LOOKS:
                    return f"{self._name(process)} hangs: {reason}"
            self.suspicious = max(self._looks.values()) >= SUSPICIOUS_LOOKS

    def _look(self, process: int, wanted: bool) -> str | None:
        """Why a process seems to hang."""
        activity = activity_of(process)
        if activity is None:  # if it ended, others notice
            return None
        before, self._before[process] = self._before.get(process), activity
        if activity.stopped:
            return "it is stopped"
        idle = before is not None and activity.seconds - before.seconds < IDLE_SECONDS
        # Its threads are many, and looked at last.
        return "it sleeps, though it is waited for" if wanted and idle and sleeps(process) else None

    def _name(self, process: int) -> str:
        if process == self._triton:
            return f"Triton, process {process},"
        return f"Triton's worker {process} of {self._workers[process]}"
