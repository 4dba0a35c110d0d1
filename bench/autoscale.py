"""What to scale replicas on: days of calls against simulated replicas, for each signal there could be.

- *backlog*: `relatent_backlog_seconds`, added up;
- *processor*: the share of its time that a replica's engine is busy. On processors that is what a
  HorizontalPodAutoscaler sees by itself; of a GPU it sees nothing;
- *queue*: calls at work and waiting;
- *fixed*: always as many.

A replica does what was measured: its calls get on as those of so many callers did (`batching` in
docs/bench.json), and it takes as long to start as a pack of a published size did (`fullsize`). That is all on
processors; where each replica has a GPU, what a replica costs is that GPU's time.

Each signal gets the cheapest target with which the usual days keep the goal: 95 % of calls take at most ten
seconds more than they do alone. With the same targets follow days of as much work in calls that are four
times as long, as another pack or other callers would bring them.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.autoscale_cluster import TICK_SECONDS, Autoscaler, Cluster, DayOutcome, Signal, simulate
from bench.autoscale_replica import Speeds
from bench.autoscale_traffic import DAY_SECONDS, DayOfCalls, draw_day
from bench.measurement import BenchSettings
from bench.timing import significant
from relatent_service.settings import read_settings

RECORD = Path(__file__).parents[1] / "docs" / "bench.json"
SEEDS = (1, 2, 3)
GOAL_SECONDS, GOAL_SHARE = 10.0, 0.95
TIMES_LONGER = 4
QUICK_SECONDS = 7_200.0


class ProcessorTime:
    """The share of its time that each replica was busy in since the last look, added up."""

    def __init__(self) -> None:
        self._before: dict[int, float] = {}

    def __call__(self, cluster: Cluster) -> float:
        """Look."""
        busy = {id(replica): replica.busy for replica in cluster.kept}
        shares = [(now - self._before.get(which, 0.0)) / TICK_SECONDS for which, now in busy.items()]
        self._before = busy
        return sum(shares)


def backlog(cluster: Cluster) -> float:
    """Seconds of the engine's time that all calls need."""
    return sum(replica.backlog_seconds() for replica in cluster.kept)


def queue(cluster: Cluster) -> float:
    """Calls at work and waiting."""
    return float(sum(replica.calls for replica in cluster.kept))


SIGNALS: dict[str, tuple[Callable[[], Signal], tuple[float, ...]]] = {
    "backlog": (lambda: backlog, (2, 3, 4, 5, 6, 7, 8, 10, 12)),
    "processor": (ProcessorTime, (0.5, 0.6, 0.65, 0.7, 0.72, 0.74, 0.76, 0.8)),
    "queue": (lambda: queue, (1, 1.5, 2, 2.5, 3, 3.5, 4, 6)),
    # As many replicas as each of which has a share of one.
    "fixed": (lambda: lambda _: 1.0, tuple(1 / count for count in range(16, 0, -1))),
}
"""Of each signal a fresh one, and its targets, from the dearest to the cheapest."""


@dataclass(frozen=True)
class MeasuredReplica:
    """What is known of a replica.

    Attributes:
        seconds_a_step: of a call that is alone.
        speeds: of several calls at a time.
        start_seconds: until it takes calls.
    """

    seconds_a_step: float
    speeds: Speeds
    start_seconds: float

    @classmethod
    def recorded(cls) -> MeasuredReplica:
        """As docs/bench.json has it."""
        record = json.loads(RECORD.read_text())
        batching = record["batching"]
        rates = {int(n): at["inversions_a_second"]["median"] for n, at in batching["callers"].items()}
        return cls(
            seconds_a_step=1 / rates[1] / batching["steps"],
            speeds=Speeds.measured(rates, read_settings([], {}).max_inflight),
            start_seconds=record["fullsize"]["served"]["start_seconds"],
        )

    def meet(self, days: Sequence[DayOfCalls], name: str, target: float, lasts: float) -> list[DayOutcome]:
        """Let it and its like meet days of calls, scaled on a signal."""
        scalers = [Autoscaler(SIGNALS[name][0](), target) for _ in days]
        return [
            simulate(day, self.seconds_a_step, self.speeds, self.start_seconds, scaler, lasts)
            for day, scaler in zip(days, scalers, strict=True)
        ]


def run(settings: BenchSettings) -> dict[str, Any]:
    """Simulate.

    Returns:
        `target_seconds`, what to have of backlog a replica; for each of `signals` its target (of `fixed` the
        replicas), and what became of `usual` and `longer` days; `goal` and `replica`.
    """
    seeds, lasts = (SEEDS[:1], QUICK_SECONDS) if settings.quick else (SEEDS, DAY_SECONDS)
    replica = MeasuredReplica.recorded()
    usual = [draw_day(seed, lasts) for seed in seeds]
    longer = [day.longer(TIMES_LONGER) for day in usual]
    signals: dict[str, Any] = {}
    for name in SIGNALS:
        target, outcomes = cheapest(replica, usual, name, lasts)
        signals[name] = {
            "target": round(1 / target) if name == "fixed" else target,
            "usual": summary(outcomes, lasts),
            "longer": summary(replica.meet(longer, name, target, lasts), lasts),
        }
    return {
        "target_seconds": signals["backlog"]["target"],
        "signals": signals,
        "goal": {"wait_seconds": GOAL_SECONDS, "share": GOAL_SHARE},
        "times_longer": TIMES_LONGER,
        "calls_a_day": round(sum(len(day.moments) for day in usual) / len(usual) * DAY_SECONDS / lasts),
        "days": len(seeds),
        "replica": {
            "seconds_a_step_alone": significant(replica.seconds_a_step),
            "speed_of_8": significant(replica.speeds.by_calls[8]),
            "start_seconds": replica.start_seconds,
        },
    }


def cheapest(
    replica: MeasuredReplica, days: Sequence[DayOfCalls], name: str, lasts: float
) -> tuple[float, list[DayOutcome]]:
    """The cheapest target with which days keep the goal, or else the dearest, and what became of them."""
    targets = SIGNALS[name][1]
    met: dict[float, list[DayOutcome]] = {}

    def missed(target: float) -> bool:
        met[target] = replica.meet(days, name, target, lasts)
        return float(np.mean(_waits(met[target]) <= GOAL_SECONDS)) < GOAL_SHARE

    first_missed = bisect_left(targets, True, key=missed)
    target = targets[max(0, first_missed - 1)]
    return target, met.get(target) or replica.meet(days, name, target, lasts)


def summary(outcomes: Sequence[DayOutcome], lasts: float) -> dict[str, Any]:
    """What days came to, in figures of one of them."""
    waits, paid = _waits(outcomes), sum(one.replica_seconds for one in outcomes) / len(outcomes)
    half, most, nearly_all = (round(max(0.0, float(np.percentile(waits, q))), 2) for q in (50, 95, 99))
    return {
        "mean_replicas": significant(paid / lasts),
        "most_replicas": max(one.most for one in outcomes),
        "wait_seconds": {"half": half, "95": most, "99": nearly_all},
        "in_goal": significant(float(np.mean(waits <= GOAL_SECONDS))),
        "gpu_seconds": round(paid),
    }


def _waits(outcomes: Sequence[DayOutcome]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.concatenate([one.waits for one in outcomes])
