"""Equal calls at the same time share one inversion, and none is worse off for it."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from relatent.v1 import inversion_pb2 as v1
from relatent.v1 import inversion_pb2_grpc, types_pb2
from relatent_service.engine.engine import EngineUnavailable
from tests.fixtures.requests import image, reason
from tests.service.rpc.asking import edit, inversions, invert, lookups, options, stream, without_time


async def test_equal_calls_at_the_same_time_share_one_inversion_and_one_slot(caching):
    caching.engine.hold("tiny_refine")
    calls = [asyncio.ensure_future(invert(caching)) for _ in range(3)]
    calls += [asyncio.ensure_future(stream(caching)), asyncio.ensure_future(edit(caching, 0.5))]
    await caching.engine.held("tiny_refine")
    await caching.until(lambda: caching.server.lifecycle.running == 5)
    assert (caching.server.admission.inflight, caching.server.admission.waiting) == (1, 0)
    caching.engine.release("tiny_refine")
    *results, (_, streamed), edited = await asyncio.gather(*calls)
    results += [streamed, edited.inversion]
    assert sorted(each.cached for each in results) == [False, True, True, True, True]
    assert len({without_time(each) for each in results}) == 1
    assert inversions(caching) == 1
    assert lookups(caching, "shared") == 4


async def test_where_the_leader_hangs_up_another_takes_over(caching):
    caching.engine.hold("tiny_refine")
    leader = asyncio.ensure_future(stream(caching))
    await caching.engine.held("tiny_refine")
    others = [asyncio.ensure_future(invert(caching)) for _ in range(2)]
    await caching.until(lambda: caching.server.lifecycle.running == 3)
    leader.cancel()
    await caching.until(lambda: caching.server.lifecycle.running == 2)
    caching.engine.release("tiny_refine")
    results = await asyncio.gather(*others)
    assert sorted(each.cached for each in results) == [False, True]
    assert inversions(caching) == 1


async def test_where_the_leader_fails_another_takes_over(caching):
    caching.engine.hold("tiny_refine")
    calls = [asyncio.ensure_future(invert(caching)) for _ in range(3)]
    await caching.engine.held("tiny_refine")
    await caching.until(lambda: caching.server.lifecycle.running == 3)
    caching.engine.errors["tiny_refine"] = [EngineUnavailable("gone")]
    caching.engine.release("tiny_refine")
    found: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    (error,) = [each for each in found if isinstance(each, grpc.RpcError)]
    assert reason(error) == "ENGINE_UNAVAILABLE"
    assert sorted(each.cached for each in found if each is not error) == [False, True]


async def test_one_that_waits_for_another_ends_at_its_own_deadline(caching):
    caching.engine.hold("tiny_refine")
    leader = asyncio.ensure_future(invert(caching))
    await caching.engine.held("tiny_refine")
    with pytest.raises(grpc.RpcError) as caught:
        await invert(caching, timeout=1.0)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert reason(caught.value) == "TOO_LITTLE_TIME"
    assert "another call inverts the same" in caught.value.details()
    caching.engine.release("tiny_refine")
    assert not (await leader).cached


async def test_one_that_answers_when_its_time_is_up_waits_for_nobody(caching):
    caching.engine.hold("tiny_refine")
    leader = asyncio.ensure_future(invert(caching))
    await caching.engine.held("tiny_refine")
    hasty = options(refinement={"time_budget": Duration(nanos=200_000_000)})
    result = await invert(caching, hasty)
    assert result.stop_reason == v1.STOP_REASON_TIME_BUDGET
    caching.engine.release("tiny_refine")
    assert not (await leader).cached


async def test_nobody_waits_for_a_reader_that_does_not_read(caching, monkeypatch):
    monkeypatch.setattr("relatent_service.rpc.inverting.READER_SECONDS", 0.05)
    narrow = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 4096)]
    async with grpc.aio.insecure_channel(caching.address, narrow) as channel:
        request = v1.InvertStreamRequest(
            image=image(), options=options(2000), preview_every=1, checkpoint_every=1
        )
        reader = inversion_pb2_grpc.InversionServiceStub(channel).InvertStream(request, timeout=60)
        await reader.read()
        await caching.until(lambda: caching.server.admission.aside == 1)
        assert (await invert(caching, options(2000), timeout=60)).steps == 2000
        reader.cancel()


async def test_a_picture_that_cannot_be_read_is_each_callers_own_error(caching):
    broken = types_pb2.Image(data=image().data[:60])
    calls = [invert(caching, picture=broken) for _ in range(4)]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert {reason(error) for error in errors} == {"IMAGE_UNREADABLE"}
    assert caching.server.admission.inflight == 0
