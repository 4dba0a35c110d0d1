"""What is counted of calls of several kinds under overload; and the whole measurement once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from bench import overload_classes, overload_classes_picture
from bench.measurement import BenchSettings
from bench.overload import Window
from bench.overload_kinds import SHARES
from bench.overload_mix import KindOutcomes, MixedCall, meet
from relatent.v1 import editing_pb2

WINDOW = Window(0.1, 0.4)


def refusal(reason: str) -> grpc.aio.AioRpcError:
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason))
    status = status_pb2.Status(details=[packed]).SerializeToString()
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status))
    return grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), trailing)


async def met(behaviour: Any, share: float = 1.0, deadline: float = 0.2) -> KindOutcomes:
    """What becomes of calls that take a hundredth of what can be done each, at once what can be done."""

    async def method(request: Any, timeout: float, metadata: Any) -> None:
        del request, metadata
        await behaviour(timeout)

    kind = MixedCall("a", method, [editing_pb2.EditRequest()], "key", deadline, 0.01, share)
    return (await meet([kind], 1.0, WINDOW, np.random.default_rng(1)))["a"]


async def test_what_is_answered_in_time_counts_for_what_it_is_worth() -> None:
    outcomes = await met(lambda _: asyncio.sleep(0.01))
    assert set(outcomes.counts) == {"in_time"}
    assert outcomes.offered == pytest.approx(0.01 * outcomes.counts["in_time"])
    assert outcomes.done == pytest.approx(WINDOW.seconds, rel=0.5)
    report = outcomes.as_json()
    assert 0.04 <= report["over_deadline"]["p50"] <= report["over_deadline"]["p99"]


async def test_late_answers_are_worth_nothing_and_count_as_late() -> None:
    async def late(timeout: float) -> None:
        await asyncio.sleep(timeout)
        raise grpc.aio.AioRpcError(
            grpc.StatusCode.DEADLINE_EXCEEDED, grpc.aio.Metadata(), grpc.aio.Metadata()
        )

    outcomes = await met(late)
    assert set(outcomes.counts) == {"late"}
    assert outcomes.done == 0
    assert outcomes.as_json()["over_deadline"]["p50"] >= 1


async def test_refusals_count_by_their_reason_and_by_how_soon_they_were_told() -> None:
    async def refuse(_: float) -> None:
        await asyncio.sleep(0.08)
        raise refusal("STEPS_QUOTA")

    report = (await met(refuse)).as_json()
    assert report["shares"] == {"steps_quota": 1.0}
    assert report["refused_promptly"] == 0
    assert report["refusal_seconds_95th"] >= 0.08
    assert "over_deadline" not in report


def test_the_measurement_accounts_for_every_call_of_every_kind_and_is_drawn(
    settings: BenchSettings, tmp_path: Path
) -> None:
    report = overload_classes.run(settings)
    assert set(report["loads"]) == {"1", "2", "5"}
    for load in report["loads"].values():
        assert load["all"]["calls"] == sum(load[kind]["calls"] for kind in SHARES)
        assert sum(load["all"]["shares"].values()) == pytest.approx(1, rel=1e-2)
        assert 0 <= load["bulk_share"]["median"] <= 1
        ends = {"in_time", "late", "deadline_too_near", "too_little_time", "queue_full", "steps_quota"}
        assert load["all"]["shares"].keys() <= ends
    assert 0 < report["quota_share"] < 0.1
    assert report["goodput_at_5"] == report["loads"]["5"]["goodput_over_capacity"]["median"]
    overload_classes_picture.draw(report, tmp_path / "one.png")
    overload_classes_picture.draw(report, tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
