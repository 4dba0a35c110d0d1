"""A simulated replica: its calls share the engine evenly, and go faster together, as was measured."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise


@dataclass(frozen=True)
class Speeds:
    """How much a replica gets done with so many calls at work, over what it does with one.

    Attributes:
        by_calls: from no call to `max_inflight`.
    """

    by_calls: tuple[float, ...]

    @classmethod
    def measured(cls, rates: Mapping[int, float], max_inflight: int) -> Speeds:
        """From answers a second by how many callers there were; straight between them, and level after them.

        Args:
            rates: of one caller, and of more.
            max_inflight: calls at work at most.
        """
        known = sorted(rates.items())
        speeds = [0.0, *[known[-1][1] / rates[1]] * max_inflight]
        for (few, slow), (many, fast) in pairwise(known):
            for calls in range(few, min(many, max_inflight) + 1):
                speeds[calls] = (slow + (fast - slow) * (calls - few) / (many - few)) / rates[1]
        return cls(tuple(speeds))

    @property
    def max_inflight(self) -> int:
        """Calls at work at most."""
        return len(self.by_calls) - 1


@dataclass
class SimulatedReplica:
    """One replica; the owner of its calls.

    Time is lazy: nothing happens until `advance` is called. All calls at work get on equally, so each ends
    when what one call has got reaches what had been got when it began, and what it needs.

    Attributes:
        speeds: how fast it is.
        created, ready: seconds.
        leaving: whether it takes no more calls.
        busy: seconds in which it had calls.
        ended: of the calls it has done: begin, end and what they took alone, in seconds.
    """

    speeds: Speeds
    created: float
    ready: float
    leaving: bool = False
    busy: float = 0.0
    ended: list[tuple[float, float, float]] = field(default_factory=list)
    _now: float = 0.0
    _got: float = 0.0
    _at_work: list[tuple[float, float, float]] = field(default_factory=list)
    _waiting: deque[tuple[float, float]] = field(default_factory=deque)
    _left: float = 0.0

    @property
    def calls(self) -> int:
        """Calls at work and waiting."""
        return len(self._at_work) + len(self._waiting)

    def add(self, now: float, seconds: float) -> None:
        """Take a call that would take so many seconds alone."""
        self.advance(now)
        self._left += seconds
        self._waiting.append((now, seconds))
        self._let_in()

    def advance(self, now: float) -> None:
        """Do what is done until then."""
        while self._at_work:
            calls = len(self._at_work)
            pace = self.speeds.by_calls[calls] / calls
            done, began, seconds = self._at_work[0]
            end = self._now + max(0.0, done - self._got) / pace
            until = min(end, now)
            self.busy += until - self._now
            self._left -= (until - self._now) * self.speeds.by_calls[calls]
            if end > now:
                self._got += (until - self._now) * pace
                break
            heappop(self._at_work)
            self._got, self._now = done, end
            self.ended.append((began, end, seconds))
            self._let_in()
        self._now = now

    def backlog_seconds(self) -> float:
        """What its calls still need, at the pace of so many: the service's relatent_backlog_seconds."""
        return max(0.0, self._left) / self.speeds.by_calls[max(1, len(self._at_work))]

    def _let_in(self) -> None:
        while self._waiting and len(self._at_work) < self.speeds.max_inflight:
            began, seconds = self._waiting.popleft()
            heappush(self._at_work, (self._got + seconds, began, seconds))
