"""A simulated cluster: calls go to its replicas in turn, and an autoscaler changes how many there are.

The autoscaler is the HorizontalPodAutoscaler's rule, which KEDA's ScaledObject feeds: every 15 seconds, from
values as old; as many replicas as make the signal's share of each its target, nothing within a tenth of it;
at most twice as many, or four more, at a time; fewer only than all wished for in five minutes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import numpy.typing as npt

from bench.autoscale_replica import SimulatedReplica, Speeds
from bench.autoscale_traffic import DayOfCalls

TICK_SECONDS = 15.0
TOLERANCE = 0.1
STABILISATION_SECONDS = 300.0
LEAST, MOST = 1, 20
MORE_AT_A_TIME, TIMES_AT_A_TIME = 4, 2

Signal = Callable[["Cluster"], float]
"""What is looked at, added up over the replicas."""


@dataclass(frozen=True)
class DayOutcome:
    """What a day came to.

    Attributes:
        waits: float64 [N], seconds that each call took longer than it does alone.
        replica_seconds: that were paid for, starts and drains included.
        most: replicas at once.
    """

    waits: npt.NDArray[np.float64]
    replica_seconds: float
    most: int


@dataclass
class Cluster:
    """The owner of the replicas.

    Attributes:
        speeds: of each replica.
        start_seconds: from the wish for a replica until it takes calls.
        replicas: that are there, starting, serving or leaving.
        most: replicas at once so far.
    """

    speeds: Speeds
    start_seconds: float
    replicas: list[SimulatedReplica] = field(default_factory=list)
    most: int = 0
    _paid: float = 0.0
    _turn: int = 0
    _ended: list[tuple[float, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scale(0.0, LEAST)
        self.replicas[0].ready = 0.0

    @property
    def kept(self) -> list[SimulatedReplica]:
        """Those that are not leaving."""
        return [replica for replica in self.replicas if not replica.leaving]

    def serving(self, now: float) -> list[SimulatedReplica]:
        """Those that take calls."""
        return [replica for replica in self.replicas if replica.ready <= now and not replica.leaving]

    def call(self, now: float, seconds: float) -> None:
        """Give a call to the next replica in turn."""
        serving = self.serving(now)
        self._turn += 1
        serving[self._turn % len(serving)].add(now, seconds)

    def advance(self, now: float) -> None:
        """Let all replicas work until then; those that leave go when they have nothing left to do."""
        for replica in self.replicas:
            replica.advance(now)
        for replica in [one for one in self.replicas if one.leaving and not one.calls]:
            last = replica.ended[-1][1] if replica.ended else now
            self._paid += max(last, now - TICK_SECONDS) - replica.created
            self._ended += replica.ended
            self.replicas.remove(replica)

    def scale(self, now: float, wanted: int) -> None:
        """Start replicas, or let the youngest leave."""
        kept = self.kept
        for _ in range(wanted - len(kept)):
            self.replicas.append(SimulatedReplica(self.speeds, now, now + self.start_seconds, _now=now))
        for replica in sorted(kept, key=lambda one: one.created)[wanted:]:
            replica.leaving = True
        self.most = max(self.most, len(self.replicas))

    def close(self, now: float) -> DayOutcome:
        """Finish what is left, of which nothing but its waits counts."""
        for replica in self.replicas:
            self._paid += now - replica.created
            replica.advance(now + 1e9)
            self._ended += replica.ended
        begin, end, alone = np.array(self._ended).reshape(-1, 3).T
        return DayOutcome(end - begin - alone, self._paid, self.most)


@dataclass
class Autoscaler:
    """Says how many replicas there should be.

    Attributes:
        signal: what is looked at.
        target: of each replica.
    """

    signal: Signal
    target: float
    _seen: float = 0.0
    _wishes: deque[tuple[float, int]] = field(default_factory=deque)

    def wanted(self, now: float, cluster: Cluster) -> int:
        """How many replicas there should be, by what was seen a tick ago."""
        kept = len(cluster.kept)
        ratio = self._seen / (self.target * kept)
        wish = kept if abs(ratio - 1) <= TOLERANCE else ceil(self._seen / self.target)
        wish = min(max(wish, LEAST), MOST)
        self._seen = self.signal(cluster)
        self._wishes.append((now, wish))
        while self._wishes[0][0] < now - STABILISATION_SECONDS:
            self._wishes.popleft()
        if wish > kept:
            return min(wish, max(TIMES_AT_A_TIME * kept, kept + MORE_AT_A_TIME))
        return min(kept, max(old for _, old in self._wishes))


def simulate(
    calls: DayOfCalls,
    seconds_a_step: float,
    speeds: Speeds,
    start_seconds: float,
    scaler: Autoscaler,
    lasts: float,
) -> DayOutcome:
    """Let a day pass.

    Args:
        calls: that come.
        seconds_a_step: of a call that is alone.
        speeds: of a replica.
        start_seconds: of a replica.
        scaler: says how many replicas there should be.
        lasts: seconds that the day lasts.
    """
    cluster = Cluster(speeds, start_seconds)
    index, count = 0, len(calls.moments)
    moments, needs = calls.moments.tolist(), (calls.steps * seconds_a_step).tolist()
    for tick in range(int(lasts // TICK_SECONDS) + 1):
        now = tick * TICK_SECONDS
        while index < count and moments[index] < now:
            cluster.call(moments[index], needs[index])
            index += 1
        cluster.advance(now)
        cluster.scale(now, scaler.wanted(now, cluster))
    return cluster.close(now)
