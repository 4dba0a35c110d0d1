"""The simulation of scaling: replicas share as measured, the rules are kept, days come from a seed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bench import autoscale
from bench.autoscale import SIGNALS, MeasuredReplica, ProcessorTime, backlog, queue
from bench.autoscale_cluster import (
    LEAST,
    MORE_AT_A_TIME,
    MOST,
    STABILISATION_SECONDS,
    TICK_SECONDS,
    Autoscaler,
    Cluster,
    simulate,
)
from bench.autoscale_replica import SimulatedReplica, Speeds
from bench.autoscale_traffic import STEPS, DayOfCalls, draw_day
from bench.measurement import BenchSettings

LEVEL = Speeds.measured({1: 2.0}, 4)
"""Of a replica that gains nothing from company."""


def replica(speeds: Speeds = LEVEL) -> SimulatedReplica:
    return SimulatedReplica(speeds, created=0.0, ready=0.0)


def test_speeds_lie_between_what_was_measured_and_stay_level_after_it() -> None:
    speeds = Speeds.measured({1: 4.0, 2: 5.0, 4: 6.0}, 6)
    assert speeds.by_calls == pytest.approx((0, 1, 1.25, 1.375, 1.5, 1.5, 1.5))
    assert speeds.max_inflight == 6


def test_calls_at_work_share_the_engine_evenly() -> None:
    one = replica()
    one.add(0.0, 10.0)
    one.add(4.0, 2.0)  # 6 s of the first are left
    one.advance(100.0)
    assert one.ended == [(4.0, 8.0, 2.0), (0.0, 12.0, 10.0)]
    assert one.busy == pytest.approx(12.0)


def test_calls_together_go_as_much_faster_as_was_measured() -> None:
    one = replica(Speeds.measured({1: 1.0, 2: 1.6}, 4))
    one.add(0.0, 8.0)
    one.add(0.0, 8.0)
    assert one.backlog_seconds() == pytest.approx(10.0)
    one.advance(5.0)
    assert one.backlog_seconds() == pytest.approx(5.0)
    one.advance(20.0)
    assert [end for _, end, _ in one.ended] == pytest.approx([10.0, 10.0])
    assert one.backlog_seconds() == pytest.approx(0.0)


def test_more_calls_than_have_slots_wait_in_their_order() -> None:
    one = replica(Speeds.measured({1: 1.0}, 1))
    for moment in (0.0, 0.5, 0.6):
        one.add(moment, 2.0)
    assert one.calls == 3
    one.advance(100.0)
    assert [(began, end) for began, end, _ in one.ended] == [(0.0, 2.0), (0.5, 4.0), (0.6, 6.0)]


def test_looking_changes_nothing() -> None:
    random = np.random.default_rng(5)
    calls = [(float(moment), float(random.uniform(0.1, 3))) for moment in np.sort(random.uniform(0, 50, 60))]
    speeds = Speeds.measured({1: 1.0, 4: 1.5}, 4)
    seldom, often = replica(speeds), replica(speeds)
    for moment, seconds in calls:
        for step in np.linspace(often._now, moment, 5):
            often.advance(float(step))
        seldom.add(moment, seconds)
        often.add(moment, seconds)
    seldom.advance(1e6)
    often.advance(1e6)
    assert np.array(often.ended) == pytest.approx(np.array(seldom.ended))
    assert len(seldom.ended) == len(calls)


def steady(value: float):
    return Autoscaler(lambda _: value, 1.0)


def replicas_over(scaler: Autoscaler, cluster: Cluster, ticks: int) -> list[int]:
    counts = []
    for tick in range(ticks):
        cluster.advance(tick * TICK_SECONDS)
        cluster.scale(tick * TICK_SECONDS, scaler.wanted(tick * TICK_SECONDS, cluster))
        counts.append(len(cluster.kept))
    return counts


def test_replicas_come_a_tick_late_and_no_more_than_the_rules_allow_at_a_time() -> None:
    counts = replicas_over(steady(100.0), Cluster(LEVEL, 60.0), 6)
    assert counts == [LEAST, LEAST + MORE_AT_A_TIME, 2 * (LEAST + MORE_AT_A_TIME), MOST, MOST, MOST]


def test_replicas_go_only_after_five_minutes_without_need() -> None:
    cluster = Cluster(LEVEL, 0.0)
    wishes = iter([4.0, 4.0, 4.0, *[1.0] * 100])
    scaler = Autoscaler(lambda _: next(wishes), 1.0)
    counts = replicas_over(scaler, cluster, 40)
    last_need = 3  # what is seen in tick 2 counts in tick 3
    kept_for = (max(index for index, count in enumerate(counts) if count == 4) - last_need) * TICK_SECONDS
    assert kept_for == STABILISATION_SECONDS
    assert counts[-1] == LEAST


def test_nothing_changes_within_a_tenth_of_the_target() -> None:
    seen = iter([*[10.0] * 8, *[10.9] * 5, *[11.2] * 3])
    counts = replicas_over(Autoscaler(lambda _: next(seen), 1.0), Cluster(LEVEL, 0.0), 16)
    assert set(counts[4:14]) == {10}
    assert counts[-1] == 12


def test_a_replica_that_starts_takes_no_calls_and_one_that_leaves_finishes_its_own() -> None:
    cluster = Cluster(LEVEL, 60.0)
    cluster.scale(0.0, 2)
    cluster.call(1.0, 5.0)
    cluster.call(2.0, 5.0)
    assert [one.calls for one in cluster.replicas] == [2, 0]
    cluster.advance(75.0)
    cluster.call(75.0, 30.0)
    cluster.call(75.0, 30.0)
    assert [one.calls for one in cluster.replicas] == [1, 1]
    cluster.scale(75.0, 1)
    cluster.call(76.0, 5.0)
    assert [one.calls for one in cluster.replicas] == [2, 1]
    cluster.advance(110.0)
    assert len(cluster.replicas) == 1
    outcome = cluster.close(120.0)
    assert len(outcome.waits) == 5
    assert outcome.replica_seconds == pytest.approx(120.0 + 105.0)
    assert outcome.most == 2


def test_signals_are_added_up_over_the_replicas_that_stay() -> None:
    cluster = Cluster(LEVEL, 0.0)
    cluster.scale(0.0, 3)
    look = ProcessorTime()
    assert look(cluster) == 0.0
    for seconds in (3.0, 60.0, 60.0):
        cluster.call(0.0, seconds)
    assert backlog(cluster) == pytest.approx(123.0)
    assert queue(cluster) == 3
    cluster.advance(TICK_SECONDS)
    assert look(cluster) == pytest.approx(2 + 3 / TICK_SECONDS)
    cluster.scale(TICK_SECONDS, 2)
    assert backlog(cluster) < 90.0


def test_a_day_comes_from_its_seed_with_more_by_day_than_by_night() -> None:
    day = draw_day(1)
    again = draw_day(1)
    assert np.array_equal(day.moments, again.moments)
    assert np.array_equal(day.steps, again.steps)
    assert not np.array_equal(day.moments[:100], draw_day(2).moments[:100])
    assert (np.diff(day.moments) >= 0).all()
    assert set(np.unique(day.steps)) == set(STEPS)
    hours = np.histogram(day.moments, bins=24, range=(0, 86_400))[0]
    assert hours[10:14].mean() > 3 * hours[[0, 1, 22, 23]].mean()


def test_longer_calls_are_as_much_work() -> None:
    day = draw_day(1)
    longer = day.longer(4)
    assert len(longer.moments) == pytest.approx(len(day.moments) / 4, abs=1)
    assert longer.steps.sum() == pytest.approx(day.steps.sum(), rel=0.02)


def test_a_lone_call_waits_for_nothing() -> None:
    calls = DayOfCalls(np.array([5.0]), np.array([100]))
    outcome = simulate(calls, 0.01, LEVEL, 60.0, steady(1.0), 60.0)
    assert outcome.waits == pytest.approx([0.0])
    assert outcome.replica_seconds == 60.0


@pytest.mark.parametrize("name", SIGNALS)
def test_targets_go_from_the_dearest_to_the_cheapest(name: str) -> None:
    days = [draw_day(3, 7_200.0)]
    one = MeasuredReplica.recorded()
    dear, cheap = (SIGNALS[name][1][0], SIGNALS[name][1][-1])
    paid = [one.meet(days, name, target, 7_200.0)[0].replica_seconds for target in (dear, cheap)]
    assert paid[0] > paid[1]


def test_the_cheapest_target_that_keeps_the_goal_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [draw_day(3, 7_200.0)]
    slow = replace(MeasuredReplica.recorded(), start_seconds=200.0)
    targets = SIGNALS["backlog"][1]
    target, outcomes = autoscale.cheapest(slow, days, "backlog", 7_200.0)
    index = targets.index(target)
    assert autoscale.summary(outcomes, 7_200.0)["in_goal"] >= autoscale.GOAL_SHARE
    if target != targets[-1]:
        next_one = slow.meet(days, "backlog", targets[index + 1], 7_200.0)
        assert autoscale.summary(next_one, 7_200.0)["in_goal"] < autoscale.GOAL_SHARE
    monkeypatch.setattr(autoscale, "GOAL_SHARE", 1.1)
    assert autoscale.cheapest(slow, days, "backlog", 7_200.0)[0] == targets[0]


def test_the_report_has_every_signal_on_both_kinds_of_days() -> None:
    report = autoscale.run(BenchSettings(quick=True))
    assert json.loads(json.dumps(report)) == report
    assert report["target_seconds"] == report["signals"]["backlog"]["target"]
    for figures in report["signals"].values():
        for day in (figures["usual"], figures["longer"]):
            assert day["gpu_seconds"] > 0
            assert 0 < day["in_goal"] <= 1
            waits = day["wait_seconds"]
            assert waits["half"] <= waits["95"] <= waits["99"]
