"""Restorations that end in time, or go on from where they were: as inversions do."""

from __future__ import annotations

import time

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from relatent.v1 import inversion_pb2
from relatent.v1 import restoration_pb2 as v1
from relatent_service.engine.engine import EngineTimedOut, EngineUnavailable
from tests.fixtures import tiny
from tests.fixtures.degraded import degraded, picture, restore, stream
from tests.fixtures.requests import details, reason
from tests.fixtures.running import Running


async def test_from_a_checkpoint_it_goes_on_as_if_it_had_never_ended(restoring: Running) -> None:
    given, options = degraded("all at once", steps=24, mean=inversion_pb2.MeanStart())
    reports, whole = await stream(restoring, given, options, checkpoint_every=1)
    for report in (reports[0], reports[2], reports[-1]):
        options.inversion.checkpoint.CopyFrom(report.checkpoint)
        resumed = await restore(restoring, given, options)
        assert (resumed.losses, resumed.latent, resumed.image) == (whole.losses, whole.latent, whole.image)


async def test_an_engine_lost_midway_is_gone_on_from_where_it_was(restoring: Running) -> None:
    given, options = degraded("grey", steps=24)
    whole = await restore(restoring, given, options)
    checkpoints = []
    restoring.engine.delay = 0.01

    async def break_off() -> None:
        request = v1.RestoreStreamRequest(image=picture(given), options=options, checkpoint_every=1)
        async for event in restoring.restoration.RestoreStream(request, timeout=10):
            checkpoints.append(event.progress.checkpoint)
            if event.progress.steps == tiny.MAX_STEPS:
                restoring.engine.errors["tiny_refine_restore"] = [EngineUnavailable("gone")]

    with pytest.raises(grpc.RpcError) as caught:
        await break_off()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(caught.value) == "ENGINE_UNAVAILABLE"
    assert details(caught.value)["RetryInfo"].retry_delay.ToMilliseconds() > 0
    assert 0 < checkpoints[-1].steps < 24
    options.inversion.checkpoint.CopyFrom(checkpoints[-1])
    resumed = await restore(restoring, given, options)
    assert (resumed.losses, resumed.latent) == (whole.losses, whole.latent)


async def test_budgets_and_deadlines_end_it_with_the_best_so_far(restoring: Running) -> None:
    restoring.engine.delay = 0.01
    budget = {"time_budget": Duration(nanos=200_000_000)}
    given, options = degraded("grey", steps=2000, refinement=budget)
    began = time.monotonic()
    result = await restore(restoring, given, options)
    assert result.stop_reason == inversion_pb2.STOP_REASON_TIME_BUDGET
    given, options = degraded("grey", steps=2000, refinement={"best_at_deadline": True})
    late = await restore(restoring, given, options, timeout=1.0)
    assert late.stop_reason == inversion_pb2.STOP_REASON_DEADLINE
    for each in (result, late):
        assert 4 <= each.steps == len(each.losses) < 1000
    assert time.monotonic() - began < 5
    restoring.engine.errors["tiny_refine_restore"] = [EngineTimedOut("late")]
    assert (await restore(restoring, given, options, timeout=1.5)).steps == 0


async def test_it_ends_where_the_loss_is_low_enough_or_falls_no_more(restoring: Running) -> None:
    given, options = degraded("grey", steps=400, refinement={"target_loss": 1e-3})
    result = await restore(restoring, given, options)
    assert result.stop_reason == inversion_pb2.STOP_REASON_TARGET_LOSS
    assert min(result.losses) <= 1e-3
    plateau = inversion_pb2.Plateau(steps=20, min_improvement=0.05)
    given, options = degraded("grey", steps=2000, refinement={"plateau": plateau})
    assert (await restore(restoring, given, options)).stop_reason == inversion_pb2.STOP_REASON_PLATEAU
