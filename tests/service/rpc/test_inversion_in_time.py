"""Inversions that end in time: budgets, deadlines, and chunks that do not come back."""

import asyncio
import time

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from relatent.v1 import inversion_pb2 as v1
from relatent_service.engine.engine import EngineTimedOut, EngineUnavailable
from tests.fixtures import tiny
from tests.fixtures.requests import image, reason
from tests.fixtures.running import running_server


def refine(**fields):
    return v1.InversionOptions(refinement=v1.Refinement(**fields))


async def invert(running, chosen):
    request = v1.InvertRequest(image=image(), options=chosen)
    return (await running.inversion.Invert(request, timeout=10)).result


async def test_it_ends_when_the_time_budget_is_used_up(running):
    running.engine.delay = 0.02
    budget = Duration(nanos=200_000_000)
    began = time.monotonic()
    result = await invert(running, refine(steps=2000, time_budget=budget))
    assert result.stop_reason == v1.STOP_REASON_TIME_BUDGET
    assert 4 <= result.steps < 100
    assert time.monotonic() - began < 5, "2,000 steps at this pace take ten seconds"


async def test_it_answers_with_the_best_so_far_before_the_deadline_if_asked_to(running):
    running.engine.delay = 0.02
    request = v1.InvertRequest(image=image(), options=refine(steps=2000, best_at_deadline=True))
    result = (await running.inversion.Invert(request, timeout=2.0)).result
    assert result.stop_reason == v1.STOP_REASON_DEADLINE
    assert 4 <= result.steps < 1000
    assert len(result.losses) == result.steps


async def test_a_chunk_that_does_not_come_back_does_not_spoil_the_best_so_far(running):
    progressed = asyncio.Event()
    request = v1.InvertStreamRequest(image=image(), options=refine(steps=2000, best_at_deadline=True))
    running.engine.delay = 0.01

    async def read():
        async for event in running.inversion.InvertStream(request, timeout=2.0):
            if event.progress.steps >= 8 and not progressed.is_set():
                running.engine.errors["tiny_refine"] = [EngineTimedOut("late")]
                progressed.set()
        return event.result

    result = await read()
    assert running.engine.errors["tiny_refine"] == [], "it was the chunk that ended it, not the clock"
    assert result.stop_reason == v1.STOP_REASON_DEADLINE
    assert result.steps >= 8


@pytest.mark.parametrize("lost", [EngineTimedOut("late"), EngineUnavailable("gone")])
async def test_a_chunk_lost_at_the_end_of_the_budget_is_answered_with_the_best_so_far(running, lost):
    running.engine.errors["tiny_refine"] = [lost]
    budget = Duration(seconds=3)
    result = await invert(running, refine(steps=2000, time_budget=budget, best_at_deadline=True))
    assert result.stop_reason == v1.STOP_REASON_TIME_BUDGET
    assert result.steps == 0


async def test_a_budget_bounds_a_chunk_that_hangs(running):
    running.engine.hold("tiny_refine")
    began = time.monotonic()
    try:
        result = await invert(running, refine(steps=8, time_budget=Duration(nanos=300_000_000)))
    finally:
        running.engine.release("tiny_refine")
    assert result.stop_reason == v1.STOP_REASON_TIME_BUDGET
    assert time.monotonic() - began < 5


async def test_the_time_an_answer_takes_is_known_before_the_first_call(tiny_root):
    """Synthesis and assessment are slow here: with a guess instead, the answer would come too late."""
    async with running_server(tiny_root, ready=False) as running:
        running.engine.delay = 0.4
        await running.server.readiness.start()
        request = v1.InvertRequest(image=image(), options=refine(steps=2000, best_at_deadline=True))
        result = (await running.inversion.Invert(request, timeout=4.0)).result
        assert result.stop_reason == v1.STOP_REASON_DEADLINE
        assert result.steps > 0


async def test_a_time_budget_bounds_the_work_that_a_call_is_taken_for(running):
    running.engine.hold("tiny_refine")
    budget = Duration(seconds=1)
    call = asyncio.ensure_future(invert(running, refine(steps=2000, time_budget=budget)))
    await running.engine.held("tiny_refine")
    try:
        assert 0 < running.server.admission.backlog_seconds() < 2
    finally:
        running.engine.release("tiny_refine")
    await call


async def test_without_that_wish_the_deadline_is_exceeded(running):
    running.engine.delay = 0.02
    with pytest.raises(grpc.RpcError) as caught:
        await running.inversion.Invert(
            v1.InvertRequest(image=image(), options=refine(steps=2000)), timeout=0.4
        )
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await running.until(lambda: running.server.admission.inflight == 0)


async def test_chunks_of_a_slow_engine_are_cut_short(running, monkeypatch):
    monkeypatch.setattr("relatent_service.inversion.stopping.CHUNK_SECONDS", 0.02)
    running.engine.delay = 0.05
    await invert(running, refine(steps=12))
    chunks = [call for call in running.engine.calls if call[0] == "tiny_refine"]
    assert len(chunks) > 12 / tiny.MAX_STEPS + 2


async def test_a_call_that_takes_longer_than_it_has_is_ended_at_its_next_chunk_and_says_what_would_help(
    running,
):
    running.engine.delay = 0.05
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        await running.inversion.Invert(
            v1.InvertRequest(image=image(), options=refine(steps=2000)), timeout=8.0
        )
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert reason(caught.value) == "TOO_LITTLE_TIME"
    assert "give it more time or fewer steps" in caught.value.details()
    assert time.monotonic() - began < 3, "its 500 chunks take 25 s"
