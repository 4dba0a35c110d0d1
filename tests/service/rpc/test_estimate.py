"""What calls are said to cost and wait, before they are made."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from relatent.core.access_keys import Quota, keys_document, make_key, new_secret
from relatent.v1 import catalog_pb2, diffusion_pb2, editing_pb2, restoration_pb2, synthesis_pb2, types_pb2
from relatent.v1 import inversion_pb2 as v1
from tests.fixtures.requests import code, details, image, latent, reason, violated
from tests.fixtures.running import Running, running_server
from tests.fixtures.sessions import move, refusal_details

pytestmark = pytest.mark.asyncio(loop_scope="function")

REFINE = "tiny_refine"
AIM = editing_pb2.Operation(
    attribute_target=editing_pb2.AttributeTarget(
        goals=[editing_pb2.AttributeGoal(attribute="brightness", to=[0.6])], max_rounds=8
    )
)

FAR = editing_pb2.Operation(
    attribute_target=editing_pb2.AttributeTarget(
        goals=[editing_pb2.AttributeGoal(attribute="brightness", to=[1e3])], max_rounds=8
    )
)
"""Out of reach, so that all rounds are tried."""


def options(steps: int, **fields: Any) -> v1.InversionOptions:
    return v1.InversionOptions(refinement=v1.Refinement(steps=steps, **fields))


def inverting(steps: int, **fields: Any) -> dict[str, Any]:
    return {"invert": v1.InvertRequest(options=options(steps, **fields))}


def editing(*operations: editing_pb2.Operation, **fields: Any) -> dict[str, Any]:
    return {"edit": editing_pb2.EditRequest(operations=operations, **fields)}


async def estimate(running: Running, metadata: Any = None, **fields: Any) -> catalog_pb2.EstimateResponse:
    request = catalog_pb2.EstimateRequest(**fields)
    return await running.catalog.Estimate(request, metadata=metadata, timeout=20)


@pytest.mark.parametrize(
    ("call", "steps"),
    [
        (inverting(200), 203),
        (inverting(0), 3),
        ({"invert": v1.InvertRequest(options=v1.InversionOptions(restarts=3, mean=v1.MeanStart()))}, 64),
        (editing(move(1), latent=latent(code(1))), 1),
        (editing(AIM, latent=latent(code(1))), 2 + 7),
        (editing(move(1), latent=latent(code(1)), region=editing_pb2.Region()), 2),
        (editing(move(1), image=editing_pb2.ImageSource(options=options(10))), 14),
        (editing(AIM, image=editing_pb2.ImageSource(options=options(10))), 13 + 2 + 7),
        (editing(AIM, image=editing_pb2.ImageSource(options=options(10, best_at_deadline=True))), 13 + 2 + 7),
        ({"diffuse": diffusion_pb2.DiffuseRequest(region=editing_pb2.Region(), options=options(4))}, 8),
        ({"synthesize": synthesis_pb2.SynthesizeRequest(latents=[latent(code(1))] * 3)}, 3),
        ({"sample": synthesis_pb2.SampleRequest(seeds=[1, 2])}, 4),
    ],
)
async def test_each_call_is_told_its_steps_without_its_picture_and_without_the_engine(
    call: dict[str, Any], steps: int, running: Running
) -> None:
    answer = await estimate(running, **call)
    assert answer.steps == steps
    assert answer.engine.ToTimedelta().total_seconds() > 0
    assert answer.answer.ToTimedelta() >= answer.engine.ToTimedelta()
    assert answer.wait == Duration()
    assert not answer.HasField("refusal")
    assert not answer.HasField("quota")
    assert running.engine.calls == []
    assert running.server.admission.inflight == 0


async def test_a_restoration_too(restoring: Running) -> None:
    asked = restoration_pb2.RestorationOptions(preset=restoration_pb2.RESTORATION_PRESET_UPSCALE)
    asked.inversion.refinement.steps = 30
    answer = await estimate(restoring, restore=restoration_pb2.RestoreRequest(options=asked))
    assert answer.steps >= 30
    assert restoring.engine.calls == []


@pytest.mark.parametrize(
    ("call", "steps"),
    [
        (inverting(30), 30),
        (editing(AIM, latent=latent(code(1))), 0),
        (editing(move(1), image=editing_pb2.ImageSource(image=image(), options=options(10))), 10),
        (editing(FAR, image=editing_pb2.ImageSource(image=image(), options=options(10))), 10 + 5 + 3),
        ({"synthesize": synthesis_pb2.SynthesizeRequest(latents=[latent(code(1))] * 3)}, 0),
        ({"sample": synthesis_pb2.SampleRequest(seeds=[1, 2])}, 0),
    ],
)
async def test_no_call_asks_the_engine_for_more_steps_than_it_was_told(
    call: dict[str, Any], steps: int, tiny_root: Path, tmp_path: Path
) -> None:
    secret, path = new_secret(), tmp_path / "keys.json"
    path.write_bytes(keys_document([make_key("a", secret, [], None)]))
    metadata = (("authorization", f"Bearer {secret}"),)
    async with running_server(tiny_root, "--api-keys", str(path)) as running:
        told = (await estimate(running, metadata, **call)).steps
        ((kind, request),) = call.items()
        if kind == "invert":
            request.image.CopyFrom(image())
        methods = {
            "invert": running.inversion.Invert,
            "edit": running.editing.Edit,
            "synthesize": running.synthesis.Synthesize,
            "sample": running.synthesis.Sample,
        }
        await methods[kind](request, metadata=metadata, timeout=20)
        done = running.metric("relatent_key_steps_total", key="a")
    assert steps < done <= told


def refused(error: grpc.RpcError) -> tuple[grpc.StatusCode, str, str]:
    return error.code(), reason(error), violated(error) if "BadRequest" in details(error) else ""


BAD = {
    "steps": (inverting(10**6), "options.refinement.steps"),
    "a pack": ({"invert": v1.InvertRequest(options=v1.InversionOptions(pack="none"))}, "options.pack"),
    "a direction": (
        editing(
            editing_pb2.Operation(direction=editing_pb2.DirectionMove(direction="none", strengths=[1])),
            latent=latent(code(1)),
        ),
        "operations[0].direction.direction",
    ),
    "no source": (editing(move(1)), "source"),
    "seeds": ({"sample": synthesis_pb2.SampleRequest()}, "seeds"),
    "codes": ({"synthesize": synthesis_pb2.SynthesizeRequest()}, "latents"),
    "a format": (editing(move(1), latent=latent(code(1)), output_format=9), "output_format"),
    "a restoration": (
        {"restore": restoration_pb2.RestoreRequest(options=restoration_pb2.RestorationOptions())},
        "options.inversion.pack",
    ),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_is_wrong_with_a_call_is_told_as_the_call_itself_tells_it(
    what: str, running: Running
) -> None:
    call, field = BAD[what]
    ((kind, request),) = call.items()
    methods = {
        "invert": running.inversion.Invert,
        "edit": running.editing.Edit,
        "restore": running.restoration.Restore,
        "synthesize": running.synthesis.Synthesize,
        "sample": running.synthesis.Sample,
    }
    with pytest.raises(grpc.RpcError) as told:
        await estimate(running, **call)
    with pytest.raises(grpc.RpcError) as met:
        await methods[kind](request, timeout=20)
    assert refused(told.value) == refused(met.value)
    assert violated(told.value) == field


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "call"),
        ({**inverting(1), "deadline": Duration()}, "deadline"),
        ({**inverting(1), "deadline": Duration(seconds=-1)}, "deadline"),
        ({"diffuse": diffusion_pb2.DiffuseRequest(options=options(1))}, "region"),
    ],
)
async def test_what_is_wrong_with_the_question_is_named(
    fields: dict[str, Any], field: str, running: Running
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await estimate(running, **fields)
    assert (caught.value.code(), violated(caught.value)) == (grpc.StatusCode.INVALID_ARGUMENT, field)


async def test_beside_others_an_answer_takes_longer_and_one_that_cannot_be_in_time_is_told_so(
    running: Running,
) -> None:
    pace = running.server.admission.pace
    pace.measure(REFINE, 1000, 100.0)
    enough, too_little = Duration(seconds=3600), Duration(seconds=1)
    alone = await estimate(running, deadline=enough, **inverting(100))
    assert not alone.HasField("refusal")
    vain = await estimate(running, deadline=too_little, **inverting(100))
    assert refusal_details(vain.refusal)["ErrorInfo"].reason == "TOO_LITTLE_TIME"
    assert vain.engine.ToMilliseconds() == pytest.approx(alone.engine.ToMilliseconds(), abs=2)
    running.engine.hold(REFINE)
    request = v1.InvertRequest(image=image(), options=options(100))
    other = asyncio.ensure_future(running.inversion.Invert(request, timeout=60))
    await running.engine.held(REFINE)
    beside = await estimate(running, **inverting(100))
    assert beside.engine.ToMilliseconds() == pytest.approx(alone.engine.ToMilliseconds(), abs=2)
    ratio = beside.answer.ToMilliseconds() / alone.answer.ToMilliseconds()
    assert 1.5 < ratio < 2.1
    assert not (await estimate(running, deadline=enough, **inverting(100))).HasField("refusal")
    refusal = (await estimate(running, deadline=too_little, **inverting(100))).refusal
    assert refusal.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert refusal_details(refusal)["ErrorInfo"].reason == "DEADLINE_TOO_NEAR"
    assert refusal_details(refusal)["RetryInfo"].retry_delay.ToMilliseconds() > 0
    running.engine.release(REFINE)
    await other


async def test_where_all_slots_are_taken_the_wait_is_told_and_so_is_a_full_queue(
    tiny_root: Path,
) -> None:
    async with running_server(tiny_root, "--max-inflight", "1", "--max-queue", "1") as running:
        running.server.admission.pace.measure(REFINE, 1000, 100.0)
        running.engine.hold(REFINE)
        request = v1.InvertRequest(image=image(), options=options(100))
        calls = [asyncio.ensure_future(running.inversion.Invert(request, timeout=60))]
        await running.engine.held(REFINE)
        answer = await estimate(running, **inverting(50))
        assert answer.wait.ToMilliseconds() == pytest.approx(answer.engine.ToMilliseconds() * 2, rel=0.2)
        assert answer.answer.ToMilliseconds() > answer.wait.ToMilliseconds()
        calls.append(asyncio.ensure_future(running.inversion.Invert(request, timeout=60)))
        await running.until(lambda: running.server.admission.waiting == 1)
        refusal = (await estimate(running, **inverting(50))).refusal
        assert refusal_details(refusal)["ErrorInfo"].reason == "QUEUE_FULL"
        assert running.server.admission.waiting == 1
        running.engine.release(REFINE)
        await asyncio.gather(*calls)


async def test_one_that_answers_when_its_time_is_up_is_answered_by_then(running: Running) -> None:
    running.server.admission.pace.measure(REFINE, 1000, 1000.0)
    budget = inverting(2000, time_budget=Duration(seconds=5))
    assert 3000 < (await estimate(running, **budget)).answer.ToMilliseconds() <= 5000
    best = inverting(2000, best_at_deadline=True)
    answer = await estimate(running, deadline=Duration(seconds=8), **best)
    assert 6000 < answer.answer.ToMilliseconds() <= 8000
    assert not answer.HasField("refusal")


async def test_a_key_is_told_what_is_left_and_that_it_is_over(tiny_root: Path, tmp_path: Path) -> None:
    secret, path = new_secret(), tmp_path / "keys.json"
    path.write_bytes(keys_document([make_key("a", secret, [], None, quota=Quota(100, 1))]))
    metadata = (("authorization", f"Bearer {secret}"),)
    async with running_server(tiny_root, "--api-keys", str(path)) as running:
        answer = await estimate(running, metadata, **inverting(50))
        assert (answer.quota.steps, answer.quota.calls) == (100, 1)
        assert not answer.HasField("refusal")
        over = await estimate(running, metadata, **inverting(200))
        assert refusal_details(over.refusal)["ErrorInfo"].reason == "STEPS_OVER_QUOTA"
        assert "RetryInfo" not in refusal_details(over.refusal)
        request = v1.InvertRequest(image=image(), options=options(70))
        await running.inversion.Invert(request, metadata=metadata, timeout=20)
        spent = await estimate(running, metadata, **inverting(50))
        assert 27 <= spent.quota.steps < 50
        assert refusal_details(spent.refusal)["ErrorInfo"].reason == "STEPS_QUOTA"
        assert running.metric("relatent_rejected_total", reason="steps_quota") == 0


async def test_it_is_told_within_milliseconds_whatever_picture_comes_along(running: Running) -> None:
    picture = types_pb2.Image(data=b"no picture" * 100_000)
    request = catalog_pb2.EstimateRequest(invert=v1.InvertRequest(image=picture, options=options(100)))
    took = []
    for _ in range(20):
        began = time.monotonic()
        await running.catalog.Estimate(request, timeout=20)
        took.append(time.monotonic() - began)
    assert sorted(took)[10] < 0.05
