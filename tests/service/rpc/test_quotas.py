"""Quotas of keys, through the server: what is refused, what is given back, and who is not disturbed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

import relatent
from relatent.core.access_keys import Quota, keys_document, make_key, new_secret
from relatent.v1 import catalog_pb2, editing_pb2, synthesis_pb2, types_pb2
from relatent.v1 import inversion_pb2 as v1
from relatent_service.engine.engine import EngineUnavailable
from tests.fixtures.requests import code, details, image, latent, reason
from tests.fixtures.running import Running, running_server
from tests.fixtures.sessions import change, move, refusal_details

pytestmark = pytest.mark.asyncio(loop_scope="function")

LIMITED, OTHER, FREE = (new_secret() for _ in range(3))
QUOTA = 100
MANY, MOST = 90, 80
"""Steps of a call that takes nearly all there is, and of one that there is room for if they came back; else
it would have to wait for most of a minute."""
REFINE = "tiny_refine"
Code = grpc.StatusCode


def write_keys(path: Path, steps: int = QUOTA, calls: int = 2) -> None:
    quota = Quota(steps, calls)
    keys = [
        make_key("limited", LIMITED, [], None, quota=quota),
        make_key("other", OTHER, [], None, quota=quota),
        make_key("free", FREE, [], None),
    ]
    new = path.with_suffix(".new")
    new.write_bytes(keys_document(keys))
    new.replace(path)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    write_keys(path)
    return path


@pytest.fixture
async def running(tiny_root: Path, keys: Path) -> AsyncIterator[Running]:
    async with running_server(
        tiny_root, "--api-keys", str(keys), "--latent-cache-bytes", "1000000"
    ) as server:
        yield server


def shown(secret: str) -> Any:
    return (("authorization", f"Bearer {secret}"),)


def invert(running: Running, steps: int, secret: str = LIMITED, timeout: float = 20, **fields: Any) -> Any:
    refinement = v1.Refinement(steps=steps, **fields.pop("refinement", {}))
    options = v1.InversionOptions(refinement=refinement, no_cache=fields.pop("no_cache", True))
    request = v1.InvertRequest(**{"image": image(), "options": options, **fields})
    return running.inversion.Invert(request, metadata=shown(secret), timeout=timeout)


async def refused(call: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return caught.value


def done(running: Running, key: str = "limited") -> float:
    return running.metric("relatent_key_steps_total", key=key)


async def nobody(running: Running) -> None:
    """Wait until no call is under way."""
    await running.until(lambda: running.server.lifecycle.running == 0)


async def quota_left(running: Running, secret: str = LIMITED) -> catalog_pb2.QuotaLeft:
    sample = synthesis_pb2.SampleRequest(seeds=[1])
    request = catalog_pb2.EstimateRequest(sample=sample)
    return (await running.catalog.Estimate(request, metadata=shown(secret), timeout=20)).quota


async def test_a_key_over_its_steps_is_told_when_to_come_again_and_another_is_not_disturbed(
    running: Running,
) -> None:
    await invert(running, MANY)
    running.engine.calls.clear()
    began = time.monotonic()
    broken = types_pb2.Image(data=b"no picture")
    error = await refused(invert(running, 60, image=broken))
    assert time.monotonic() - began < 0.5
    assert (error.code(), reason(error)) == (Code.RESOURCE_EXHAUSTED, "STEPS_QUOTA")
    assert 20 < details(error)["RetryInfo"].retry_delay.ToSeconds() < 40
    assert running.engine.calls == []
    assert running.metric("relatent_rejected_total", reason="steps_quota") == 1
    for secret in (OTHER, FREE):
        assert (await invert(running, MANY, secret)).result.steps == MANY
    assert done(running) == done(running, "other") == MANY + 3  # an encoding, an image, an assessment


async def test_more_than_a_whole_minute_is_refused_for_good(running: Running) -> None:
    error = await refused(invert(running, QUOTA))
    assert (error.code(), reason(error)) == (Code.FAILED_PRECONDITION, "STEPS_OVER_QUOTA")
    assert "RetryInfo" not in details(error)
    assert f"asks for {QUOTA + 3} steps, and the API key 'limited' may have {QUOTA}" in str(error.details())


async def test_as_many_calls_as_may_be_are_in_flight_and_the_next_waits_its_turn(running: Running) -> None:
    running.engine.hold(REFINE)
    calls = [asyncio.ensure_future(invert(running, 4)) for _ in range(2)]
    await running.until(lambda: running.server.lifecycle.running == 2)
    error = await refused(invert(running, 4))
    assert (error.code(), reason(error)) == (Code.RESOURCE_EXHAUSTED, "CALLS_QUOTA")
    assert 0 < details(error)["RetryInfo"].retry_delay.ToMilliseconds() <= 60_000
    left = await quota_left(running)  # the catalog's calls are free
    assert left.calls == 0
    others = asyncio.ensure_future(invert(running, 4, OTHER))
    running.engine.release(REFINE)
    await asyncio.gather(*calls, others)
    assert (await quota_left(running)).calls == 2


async def ends_early(running: Running) -> None:
    answer = await invert(running, MANY, refinement={"target_loss": 1e9})
    assert answer.result.steps < 10


async def is_no_picture(running: Running) -> None:
    error = await refused(invert(running, MANY, image=types_pb2.Image(data=b"no picture")))
    assert error.code() is Code.INVALID_ARGUMENT


async def fails(running: Running) -> None:
    running.engine.errors[REFINE] = [EngineUnavailable("gone")]
    assert (await refused(invert(running, MANY))).code() is Code.UNAVAILABLE


async def is_cancelled(running: Running) -> None:
    running.engine.hold(REFINE)
    call = invert(running, MANY)
    waiting = asyncio.ensure_future(call)
    await running.engine.held(REFINE)
    call.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await nobody(running)
    running.engine.release(REFINE)


async def is_out_of_time(running: Running) -> None:
    running.engine.hold(REFINE)
    assert (await refused(invert(running, MANY, timeout=0.5))).code() is Code.DEADLINE_EXCEEDED
    await nobody(running)
    running.engine.release(REFINE)


async def is_hung_up_on(running: Running) -> None:
    options = v1.InversionOptions(refinement=v1.Refinement(steps=MANY), no_cache=True)
    request = v1.InvertStreamRequest(image=image(), options=options)
    running.engine.hold(REFINE)
    call = running.inversion.InvertStream(request, metadata=shown(LIMITED), timeout=20)
    assert (await call.read()).HasField("progress")
    await running.engine.held(REFINE)
    call.cancel()
    await nobody(running)
    running.engine.release(REFINE)


async def is_cached(running: Running) -> None:
    await invert(running, MANY, FREE, no_cache=False)
    answer = await invert(running, MANY, no_cache=False)
    assert answer.result.cached


async def waits_for_an_equal_one(running: Running) -> None:
    running.engine.hold(REFINE)
    calls = [asyncio.ensure_future(invert(running, MANY, FREE, no_cache=False))]
    await running.engine.held(REFINE)
    calls.append(asyncio.ensure_future(invert(running, MANY, no_cache=False)))
    await running.until(lambda: running.server.lifecycle.running == 2)
    running.engine.release(REFINE)
    assert [answer.result.cached for answer in await asyncio.gather(*calls)] == [False, True]


WAYS_OUT = (
    *(ends_early, is_no_picture, fails, is_cancelled, is_out_of_time, is_hung_up_on, is_cached),
    waits_for_an_equal_one,
)


@pytest.mark.parametrize("way_out", WAYS_OUT, ids=lambda way: way.__name__)
async def test_whatever_becomes_of_a_call_what_was_not_done_and_its_place_are_given_back(
    way_out: Any, running: Running
) -> None:
    await way_out(running)
    await nobody(running)
    assert done(running) < 10
    assert (await quota_left(running)).calls == 2
    assert (await invert(running, MOST)).result.steps == MOST


async def test_an_edit_of_a_picture_that_is_cached_takes_no_more_than_its_own_steps(running: Running) -> None:
    options = v1.InversionOptions(refinement=v1.Refinement(steps=2 * QUOTA))
    await invert(running, 0, FREE, options=options)
    picture = editing_pb2.ImageSource(image=image(), options=options)
    request = editing_pb2.EditRequest(image=picture, operations=[move(0.5)])
    answer = await running.editing.Edit(request, metadata=shown(LIMITED), timeout=20)
    assert answer.inversion.cached
    assert done(running) == 1
    session = await open_session(running, image=picture)
    assert done(running) == 1
    session.cancel()
    request.image.image.CopyFrom(image(2))
    error = await refused(running.editing.Edit(request, metadata=shown(LIMITED), timeout=20))
    assert reason(error) == "STEPS_OVER_QUOTA"
    assert reason(await refused(open_session(running, image=request.image))) == "STEPS_OVER_QUOTA"


async def test_an_edit_over_the_quota_is_refused_before_its_mask_is_decoded(running: Running) -> None:
    await invert(running, 97)
    broken = editing_pb2.Region(mask=types_pb2.Image(data=b"no picture"))
    request = editing_pb2.EditRequest(latent=latent(code(1)), operations=[move(0.5)], region=broken)
    error = await refused(running.editing.Edit(request, metadata=shown(LIMITED), timeout=20))
    assert reason(error) == "STEPS_QUOTA"


async def test_what_the_engine_had_begun_when_its_caller_hung_up_counts(running: Running) -> None:
    await is_cancelled(running)
    await nobody(running)
    assert done(running) == 1 + 4  # the encoder, and a chunk of steps


async def test_a_call_that_the_load_turns_away_has_taken_nothing(tiny_root: Path, keys: Path) -> None:
    full = ("--max-inflight", "1", "--max-queue", "1", "--api-keys", str(keys))
    async with running_server(tiny_root, *full) as running:
        running.engine.hold(REFINE)
        calls = [asyncio.ensure_future(invert(running, 4, FREE)) for _ in range(2)]
        await running.until(lambda: running.server.admission.waiting == 1)
        assert reason(await refused(invert(running, MANY))) == "QUEUE_FULL"
        running.engine.release(REFINE)
        await asyncio.gather(*calls)
        assert (await invert(running, MANY)).result.steps == MANY


async def open_session(running: Running, **source: Any) -> Any:
    call = running.editing.EditStream(metadata=shown(LIMITED), timeout=20)
    opening = editing_pb2.EditSessionOpening(**(source or {"latent": latent(code(1))}))
    await call.write(editing_pb2.EditStreamRequest(open=opening))
    assert (await call.read()).HasField("opened")
    return call


async def test_a_session_is_one_call_in_flight_while_it_is_open_and_its_changes_are_steps(
    running: Running,
) -> None:
    sessions = [await open_session(running) for _ in range(2)]
    assert reason(await refused(invert(running, 4))) == "CALLS_QUOTA"
    await sessions[0].write(change(1, move(0.5)))
    assert (await sessions[0].read()).answer.HasField("edited")
    assert done(running) == 1
    await sessions[0].done_writing()
    assert await sessions[0].read() is grpc.aio.EOF
    sessions[1].cancel()
    await nobody(running)
    assert (await quota_left(running)).calls == 2


async def test_a_change_over_the_quota_is_refused_alone_and_follows_the_file_of_keys(
    running: Running, keys: Path
) -> None:
    session = await open_session(running)
    await invert(running, 97)
    await session.write(change(1, *[move(0.1)] * 2))
    answer = (await session.read()).answer
    assert refusal_details(answer.refusal)["ErrorInfo"].reason == "STEPS_QUOTA"
    assert refusal_details(answer.refusal)["RetryInfo"].retry_delay.ToMilliseconds() > 0
    write_keys(keys, steps=10_000)
    running.server.access.watched[0].renew()
    await session.write(change(2, move(0.1)))
    assert (await session.read()).answer.HasField("edited")
    session.cancel()


async def test_quotas_follow_the_file_of_keys_at_once_and_what_was_used_stays_used(
    running: Running, keys: Path
) -> None:
    await invert(running, MANY)
    assert reason(await refused(invert(running, MANY))) == "STEPS_QUOTA"
    write_keys(keys, steps=2 * QUOTA, calls=1)
    running.server.access.watched[0].renew()
    assert (await invert(running, MANY)).result.steps == MANY
    assert reason(await refused(invert(running, MANY))) == "STEPS_QUOTA"
    running.engine.hold(REFINE)
    call = invert(running, 1)
    await running.engine.held(REFINE)
    assert reason(await refused(invert(running, 1))) == "CALLS_QUOTA"
    running.engine.release(REFINE)
    await call


async def test_the_client_comes_again_when_it_was_told_to_within_its_timeout(
    running: Running, keys: Path
) -> None:
    write_keys(keys, steps=1200)
    running.server.access.watched[0].renew()
    async with relatent.AsyncClient(running.address, api_key=LIMITED, timeout=20) as client:
        await client.invert(image().data, steps=1190, no_cache=True)
        inversion = await client.invert(image().data, steps=60, no_cache=True)
        assert inversion.steps == 60
        assert running.metric("relatent_rejected_total", reason="steps_quota") == 1
        with pytest.raises(relatent.OverloadedError) as caught:
            await client.invert(image().data, steps=1100, timeout=0.5, no_cache=True)
        assert (caught.value.reason, (caught.value.retry_after or 0) > 30) == ("STEPS_QUOTA", True)
        with pytest.raises(relatent.PreconditionError) as over:
            await client.invert(image().data, steps=1500, no_cache=True)
        assert over.value.reason == "STEPS_OVER_QUOTA"
