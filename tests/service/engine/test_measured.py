"""What is learnt of an engine's pace, and what is not."""

import asyncio
from typing import Any

import numpy as np
import pytest

from relatent_service.engine.engine import (
    Answer,
    EngineRejected,
    EngineTimedOut,
    EngineUnavailable,
    Graph,
    TensorSpec,
)
from relatent_service.engine.measured import MeasuredEngine
from relatent_service.engine.retrying import RetryingEngine
from relatent_service.engine.triton import TritonEngine
from relatent_service.traffic.pace import INITIAL_SECONDS_A_RUN, Pace
from tests.fixtures.virtual_time import run_in_virtual_time

STEPS: Any = {"steps": np.array([[4]], np.int32), "target": np.zeros((1, 8, 8, 3), np.uint8)}
IMAGES: Any = {"image": np.zeros((3, 8, 8, 3), np.uint8)}


class TimedEngine:
    """Takes so many seconds over each call, then answers or fails as told."""

    def __init__(self, seconds, *failures):
        self._seconds, self._failures = seconds, list(failures)

    async def infer(self, graph, inputs, timeout=None):
        await asyncio.sleep(self._seconds)
        if self._failures:
            raise self._failures.pop(0)
        return Answer({}, self._seconds)


Engine: Any = TimedEngine  # which does all that is needed here


def now():
    return asyncio.get_event_loop().time()


@pytest.fixture
def pace(monkeypatch):
    monkeypatch.setattr("relatent_service.engine.measured.monotonic", now)
    return Pace(now)


@pytest.mark.parametrize(("inputs", "runs"), [(STEPS, 4), (IMAGES, 3)])
def test_a_run_is_a_step_of_a_refinement_or_a_sample_of_any_other_graph(pace, inputs, runs):
    run_in_virtual_time(MeasuredEngine(Engine(0.6), pace).infer("g", inputs))
    assert pace.cost("g") == pytest.approx(0.6 / runs)


def test_calls_that_share_the_engine_are_charged_their_shares(pace):
    async def work():
        engine = MeasuredEngine(Engine(0.6), pace)
        await asyncio.gather(*(engine.infer("g", STEPS) for _ in range(3)))

    run_in_virtual_time(work())
    assert pace.cost("g") == pytest.approx(0.6 / 3 / 4)


def test_an_outage_teaches_nothing_of_what_graphs_cost(pace):
    """Else one restart of Triton would pass for a slow engine: fewer calls let in, laggards waited for."""
    away = [EngineUnavailable("gone"), EngineUnavailable("gone")]
    engine = RetryingEngine(MeasuredEngine(Engine(0.2, *away), pace), lambda: None)
    answer = run_in_virtual_time(engine.infer("g", STEPS))
    assert answer.seconds == pytest.approx(0.2)
    assert pace.cost("g") == pytest.approx(0.2 / 4)


def test_servers_that_were_away_before_one_answered_are_not_charged(pace):
    class SecondServer(TimedEngine):
        async def infer(self, graph, inputs, timeout=None):
            await super().infer(graph, inputs, timeout)
            return Answer({}, self._seconds / 4)

    second: Any = SecondServer(0.8)
    run_in_virtual_time(MeasuredEngine(second, pace).infer("g", STEPS))
    assert pace.cost("g") == pytest.approx(0.2 / 4)


def test_a_call_that_was_given_up_costs_more_than_it_had_taken(pace):
    async def work(given_up):
        engine = MeasuredEngine(Engine(9.0), pace)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(given_up):
                await engine.infer("g", STEPS)

    run_in_virtual_time(work(2.0))
    assert pace.cost("g") == pytest.approx(2.0 / 4)
    late = MeasuredEngine(Engine(3.0, EngineTimedOut("late")), pace)
    with pytest.raises(EngineTimedOut):
        run_in_virtual_time(late.infer("h", STEPS))
    assert pace.cost("h") == pytest.approx(3.0 / 4)
    run_in_virtual_time(work(0.1))
    assert pace.cost("g") == pytest.approx(2.0 / 4)


class Server:
    """A Triton server that takes so many seconds over each call, and then is away, or late."""

    arrived = asyncio.Event()
    arrived.set()
    address = name = "server"
    reason = "away"

    def __init__(self, seconds, failure):
        self._seconds, self._failure = seconds, failure

    async def infer(self, request, timeout, headers):
        await asyncio.sleep(self._seconds)
        raise self._failure


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize("cut_short", [EngineTimedOut("late"), asyncio.CancelledError()])
def test_of_a_call_given_up_at_its_second_server_the_first_ones_silence_is_not_charged(
    pace, monkeypatch, cut_short, gathered
):
    if gathered:
        monkeypatch.setattr("relatent_service.engine.triton.STEPS", "x")
    for module in ("triton", "gathering"):
        monkeypatch.setattr(f"relatent_service.engine.{module}.monotonic", now)
    engine = TritonEngine(["one:1", "two:1"])
    spec = TensorSpec(np.dtype(np.float32), (3,))
    monkeypatch.setattr(engine, "_graphs", {"g": Graph("g", 8, {"x": spec}, {"y": spec})})
    servers = [Server(10.0, EngineUnavailable("silent")), Server(0.4, cut_short)]
    monkeypatch.setattr(engine, "_replicas", servers)
    with pytest.raises(type(cut_short)):
        run_in_virtual_time(MeasuredEngine(engine, pace).infer("g", {"x": np.zeros((4, 3), np.float32)}))
    assert pace.cost("g") == pytest.approx(0.4 / 4)


def test_a_call_that_was_refused_teaches_nothing(pace):
    with pytest.raises(EngineRejected):
        run_in_virtual_time(MeasuredEngine(Engine(0.5, EngineRejected("no")), pace).infer("g", STEPS))
    assert pace.cost("g") == INITIAL_SECONDS_A_RUN
