"""Restorations reach the server as they were asked for, and outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2

import relatent
from relatent.v1 import restoration_pb2
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer

PIXELS = np.full((8, 8, 3), 7, np.uint8)
WHOLE = tuple(fake.loss(step) for step in range(20))
MATRIX = [[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.125, 0.125, 0.75]]


async def test_a_restoration_comes_back_typed_and_whole(call: Call, server: FakeServer) -> None:
    found = await call(server.address, "restore", PIXELS, "colorize")
    assert isinstance(found, relatent.Restoration)
    assert found.image.image.getpixel((0, 0)) == (200, 100, 50)
    assert found.latent.values.shape == fake.SHAPE
    assert found.match.mse == pytest.approx(0.001)
    assert found.match.psnr == 30.0
    assert found.stop_reason is relatent.StopReason.STEPS
    assert (found.steps, found.resumed, found.method) == (20, 0, "restore")
    assert found.losses == WHOLE
    assert found.timings.total == 0


async def test_what_was_done_and_how_to_refine_reach_the_server(call: Call, server: FakeServer) -> None:
    mask = np.zeros((8, 8, 3), np.uint8)
    await call(
        server.address,
        "restore",
        PIXELS,
        "inpaint",
        degraded=relatent.Degraded(blur=0.5, fewer=(2, 4), colour=MATRIX, mask=mask),
        keep_known=True,
        preview_every=3,
        steps=7,
        start="mean",
        weights={"pixel": 2.0},
        fit="pad",
        pack="tiny",
        output_format="webp",
        best_at_deadline=True,
    )
    (request,) = server.requests
    options, done = request.options, request.options.degradation
    assert request.image.data == PIXELS.tobytes()
    assert (request.preview_every, request.checkpoint_every) == (3, 1)
    assert (options.preset, options.keep_known) == (restoration_pb2.RESTORATION_PRESET_INPAINT, True)
    assert (done.blur, done.resampling.rows, done.resampling.columns) == (0.5, 2, 4)
    assert list(done.colour) == [number for row in MATRIX for number in row]
    assert done.mask.data == mask.tobytes()
    inversion = options.inversion
    assert (inversion.pack, inversion.WhichOneof("start"), inversion.refinement.steps) == ("tiny", "mean", 7)
    assert dict(inversion.refinement.weights) == {"pixel": 2.0}
    assert inversion.refinement.best_at_deadline
    assert (inversion.fit, inversion.output_format) == (2, 3)


async def test_what_is_not_said_is_left_to_the_server(call: Call, server: FakeServer) -> None:
    for preset in (relatent.RestorationPreset.DENOISE, "denoise"):
        await call(server.address, "restore", PIXELS, preset)
    times: Any = np.int64(4)
    matrix: Any = np.eye(3)
    await call(server.address, "restore", PIXELS, degraded=relatent.Degraded(fewer=times))
    await call(server.address, "restore", PIXELS, degraded=relatent.Degraded(colour=matrix))
    named, again, by_four, coloured = (request.options for request in server.requests)
    assert named == again
    assert not named.HasField("degradation")
    assert not named.keep_known
    assert by_four.preset == restoration_pb2.RESTORATION_PRESET_UNSPECIFIED
    four = restoration_pb2.Resampling(rows=4, columns=4)
    assert by_four.degradation == restoration_pb2.Degradation(resampling=four)
    assert coloured.degradation == restoration_pb2.Degradation(colour=np.eye(3).ravel().tolist())


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown preset": ({"preset": "sharpen"}, "preset: expected one of colorize, upscale, inpaint, den"),
    "a blur that is none": ({"blur": "wide"}, "degraded.blur: expected a number"),
    "half a time": ({"fewer": 1.5}, "degraded.fewer: expected"),
    "times below 0": ({"fewer": -1}, "degraded.fewer: expected"),
    "three times": ({"fewer": (1, 2, 3)}, "degraded.fewer: expected"),
    "times as text": ({"fewer": "24"}, "degraded.fewer: expected"),
    "a row of numbers": ({"colour": [1.0] * 9}, "degraded.colour: expected three rows"),
    "rows too short": ({"colour": [[1, 2], [3], []]}, "degraded.colour: expected three rows"),
    "colours as text": ({"colour": [["red"] * 3] * 3}, "degraded.colour: expected three rows"),
    "a mask that is none": ({"mask": "nowhere.png"}, "nowhere.png"),
    "no step": ({"steps": -1}, "steps"),
}


@pytest.mark.parametrize(("options", "says"), WRONG.values(), ids=WRONG.keys())
async def test_what_cannot_be_sent_is_refused_before_it_is(
    call: Call, server: FakeServer, options: dict[str, Any], says: str
) -> None:
    done = {name: options[name] for name in ("blur", "fewer", "colour", "mask") if name in options}
    others = {name: value for name, value in options.items() if name not in done}
    with pytest.raises(relatent.InputError) as caught:
        await call(server.address, "restore", PIXELS, degraded=relatent.Degraded(**done), **others)
    assert says in str(caught.value)
    assert server.requests == []


async def test_a_server_that_dies_midway_costs_nothing_done(
    call: Call, server: FakeServer, second: FakeServer
) -> None:
    async def dies(request: Any, context: Any) -> AsyncIterator[Any]:
        for done in (0, 5, 10):
            yield fake.progress(done, checkpoint=fake.checkpoint(done) if done else None)
        await asyncio.sleep(0.05)  # let the messages leave
        death = asyncio.create_task(server.die())
        await asyncio.sleep(30)
        await death

    server.scripts = [dies]
    reports: list[relatent.Progress] = []
    done = relatent.Degraded(fewer=2)
    found = await call(
        [server.address, second.address],
        "restore",
        PIXELS,
        "upscale",
        degraded=done,
        keep_known=True,
        steps=20,
        progress=reports.append,
    )
    (first,), (went_on,) = server.requests, second.requests
    assert went_on.options.inversion.checkpoint == fake.checkpoint(10)
    went_on.options.inversion.ClearField("checkpoint")
    assert went_on == first, "image, degradation and all else are told again"
    assert [report.steps for report in reports] == [0, 5, 10, 10, 15, 20]
    assert (found.losses, found.steps, found.resumed) == (WHOLE, 20, 1)


async def test_time_already_spent_counts_against_the_budget(call: Call, server: FakeServer) -> None:
    async def breaks(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(5, checkpoint=fake.checkpoint(5))
        await asyncio.sleep(0.2)
        await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "draining", fake.retry_info(0.05))

    server.scripts = [breaks, fake.inverts]
    await call(server.address, "restore", PIXELS, "denoise", time_budget=2.0)
    first, again = (
        request.options.inversion.refinement.time_budget.ToMilliseconds() for request in server.requests
    )
    assert first == 2000
    assert 0 < again <= 1800


async def test_an_error_says_its_field_and_where_to_go_on_from(call: Call, server: FakeServer) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(
        field="options.degradation.colour", description="it is singular"
    )
    server.scripts = [
        fake.fails(
            grpc.StatusCode.INVALID_ARGUMENT,
            "options.degradation.colour: it is singular",
            error_details_pb2.BadRequest(field_violations=[violation]),
        )
    ]
    with pytest.raises(relatent.InvalidArgumentError, match=r"options\.degradation\.colour: it is singular"):
        await call(server.address, "restore", PIXELS, "colorize")

    async def ends(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(5, checkpoint=fake.checkpoint(5))
        await fake.abort(context, grpc.StatusCode.INTERNAL, "so it is")

    server.scripts = [ends]
    with pytest.raises(relatent.ServerError) as caught:
        await call(server.address, "restore", PIXELS, "colorize")
    server.scripts = []
    found = await call(server.address, "restore", PIXELS, "colorize", start=caught.value.checkpoint)
    assert server.requests[-1].options.inversion.checkpoint.steps == 5
    assert found.losses == WHOLE


async def test_an_answer_that_cannot_be_read_is_told_as_such(call: Call, server: FakeServer) -> None:
    async def odd(request: Any, context: Any) -> AsyncIterator[Any]:
        event = fake.result(20, [])
        event.result.stop_reason = 99  # type: ignore[assignment]
        yield event

    server.scripts = [odd]
    with pytest.raises(relatent.ContractError, match="stop_reason: 99 is unknown"):
        await call(server.address, "restore", PIXELS, "colorize")
