"""An inversion whose server is lost goes on from its last checkpoint, and nothing of it is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest

import relatent
from relatent.client import channels
from relatent.client.resuming import whole_curve
from relatent.v1 import types_pb2
from tests.fixtures.wire import Wire
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer

PIXELS = np.full((8, 8, 3), 9, np.uint8)
WHOLE = tuple(fake.loss(step) for step in range(20))


def dies_after(server: FakeServer, steps: int) -> fake.Script:
    """Sends checkpoints up to so many steps; then the whole server is gone."""

    async def script(request: Any, context: Any) -> AsyncIterator[Any]:
        for done in range(0, steps + 1, 5):
            yield fake.progress(done, checkpoint=fake.checkpoint(done) if done else None)
        await asyncio.sleep(0.05)  # let the messages leave
        death = asyncio.create_task(server.die())
        await asyncio.sleep(30)
        await death

    return script


async def test_a_server_that_dies_mid_stream_costs_nothing_done(
    call: Call, server: FakeServer, second: FakeServer
) -> None:
    server.scripts = [dies_after(server, 10)]
    reports: list[relatent.Progress] = []
    addresses = [server.address, second.address]
    inversion = await call(addresses, "invert", PIXELS, steps=20, progress=reports.append)

    went_on = second.requests[0]
    assert went_on.options.checkpoint == fake.checkpoint(10)
    assert went_on.image.data == PIXELS.tobytes()
    assert went_on.options.refinement.steps == 20
    assert [report.steps for report in reports] == [0, 5, 10, 10, 15, 20]
    assert inversion.losses == WHOLE
    assert (inversion.steps, inversion.resumed) == (20, 1)


async def test_a_server_that_comes_back_is_gone_on_with(call: Call, server: FakeServer) -> None:
    async def breaks(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(5, checkpoint=fake.checkpoint(5))
        await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "draining", fake.retry_info(0.05))

    server.scripts = [breaks, fake.inverts]
    inversion = await call(server.address, "invert", PIXELS)
    assert server.requests[1].options.checkpoint.steps == 5
    assert inversion.resumed == 1


async def test_a_server_lost_before_its_first_checkpoint_is_started_over(
    call: Call, server: FakeServer, second: FakeServer
) -> None:
    server.scripts = [dies_after(server, 0)]
    inversion = await call([server.address, second.address], "invert", PIXELS, start="mean")
    assert second.requests[0].options.WhichOneof("start") == "mean"
    assert (inversion.steps, inversion.resumed) == (20, 0)


async def test_a_curve_of_the_remaining_steps_alone_is_made_whole(call: Call, server: FakeServer) -> None:
    async def breaks(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(15, checkpoint=fake.checkpoint(15))
        await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "draining")

    async def short(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.result(20, [fake.loss(step) for step in range(15, 20)])

    server.scripts = [breaks, short]
    inversion = await call(server.address, "invert", PIXELS)
    assert inversion.losses == WHOLE


async def test_a_stream_without_a_result_is_a_broken_one(call: Call, server: FakeServer) -> None:
    async def stops(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(5, checkpoint=fake.checkpoint(5))

    server.scripts = [stops, fake.inverts]
    inversion = await call(server.address, "invert", PIXELS)
    assert inversion.losses == WHOLE


async def test_a_server_that_breaks_off_every_time_still_gets_it_done(call: Call, server: FakeServer) -> None:
    async def one_chunk(request: Any, context: Any) -> AsyncIterator[Any]:
        done = request.options.checkpoint.steps + 5
        if done > 20:
            yield fake.result(20, list(WHOLE))
            return
        yield fake.progress(done, checkpoint=fake.checkpoint(done))
        await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "draining")

    server.scripts = [one_chunk]
    inversion = await call(server.address, "invert", PIXELS)
    assert inversion.resumed == 4


async def test_time_already_spent_counts_against_the_budget(call: Call, server: FakeServer) -> None:
    async def breaks(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(5, checkpoint=fake.checkpoint(5))
        await asyncio.sleep(0.3)
        await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "draining")

    server.scripts = [breaks, fake.inverts]
    await call(server.address, "invert", PIXELS, time_budget=2.0)
    first, again = (request.options.refinement.time_budget.ToMilliseconds() for request in server.requests)
    assert first == 2000
    assert 0 < again <= 1700


async def test_a_server_that_falls_silent_is_given_up(
    call: Call, server: FakeServer, second: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "KEEPALIVE_MILLISECONDS", 1000)
    async with Wire(server.address) as wire:

        async def falls_silent(request: Any, context: Any) -> AsyncIterator[Any]:
            yield fake.progress(10, checkpoint=fake.checkpoint(10))
            await asyncio.sleep(0.1)
            wire.cut()
            await asyncio.sleep(30)

        server.scripts = [falls_silent]
        inversion = await call([wire.address, second.address], "invert", PIXELS, timeout=30.0)
    assert second.requests[0].options.checkpoint.steps == 10
    assert inversion.losses == WHOLE


async def test_a_checkpoint_that_the_next_server_refuses_is_reported(
    call: Call, server: FakeServer, second: FakeServer
) -> None:
    server.scripts = [dies_after(server, 5)]
    second.scripts = [fake.fails(grpc.StatusCode.FAILED_PRECONDITION, "checkpoint of another revision")]
    with pytest.raises(relatent.PreconditionError, match="another revision"):
        await call([server.address, second.address], "invert", PIXELS)


async def test_a_callback_that_raises_frees_the_place_on_the_server(call: Call, server: FakeServer) -> None:
    async def endless(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(0)
        await asyncio.sleep(30)

    def refuse(progress: relatent.Progress) -> None:
        raise LookupError("enough")

    server.scripts = [endless]
    with pytest.raises(LookupError, match="enough"):
        await call(server.address, "invert", PIXELS, progress=refuse)
    async with asyncio.timeout(20):
        await server.cancelled.wait()


async def test_cancelling_a_task_frees_the_place_on_the_server(server: FakeServer) -> None:
    started = asyncio.Event()

    async def endless(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(0)
        await asyncio.sleep(30)

    server.scripts = [endless]
    async with relatent.AsyncClient(server.address) as client:
        task = asyncio.create_task(client.invert(PIXELS, progress=lambda _: started.set()))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(20):
            await server.cancelled.wait()


async def test_an_inversion_beyond_its_timeout_fails_as_such(call: Call, server: FakeServer) -> None:
    async def slow(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(0)
        await asyncio.sleep(30)

    server.scripts = [slow]
    with pytest.raises(relatent.DeadlineError, match=r"^no answer in time$"):
        await call(server.address, "invert", PIXELS, timeout=0.3)


async def breaks_at_5(request: Any, context: Any) -> AsyncIterator[Any]:
    yield fake.progress(5, checkpoint=fake.checkpoint(5))
    await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "draining")


def ends_with(*events: Any) -> fake.Script:
    """Reports step 5 of an inversion, whatever it starts from; then ends so, or never."""

    async def script(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fake.progress(5, checkpoint=fake.checkpoint(5))
        for event in events:
            if isinstance(event, grpc.StatusCode):
                await fake.abort(context, event, "so it is")
            yield event
        if not events:
            await asyncio.sleep(30)

    return script


def unreadable() -> Any:
    broken = fake.result(20, [])
    broken.result.latent.shape[:] = [3, 3]
    return broken


def picture_without_a_size() -> Any:
    return fake.progress(10, preview=types_pb2.Image(data=b"?"))


FAILURES: dict[str, tuple[list[fake.Script], type[relatent.RelatentError]]] = {
    "out of time": ([ends_with()], relatent.DeadlineError),
    "out of time after a refusal": ([breaks_at_5, fake.hangs], relatent.DeadlineError),
    "out of time between attempts": ([breaks_at_5, breaks_at_5], relatent.DeadlineError),
    "refused for good": ([ends_with(grpc.StatusCode.FAILED_PRECONDITION)], relatent.PreconditionError),
    "a fault of the server": ([ends_with(grpc.StatusCode.INTERNAL)], relatent.ServerError),
    "no place": ([ends_with(grpc.StatusCode.RESOURCE_EXHAUSTED)], relatent.OverloadedError),
    "an unreadable result": ([ends_with(unreadable())], relatent.ContractError),
    "an unreadable report": ([ends_with(picture_without_a_size())], relatent.ContractError),
}


@pytest.mark.parametrize(("scripts", "kind"), FAILURES.values(), ids=FAILURES.keys())
async def test_whatever_ends_an_inversion_its_error_says_where_to_go_on_from(
    call: Call,
    server: FakeServer,
    scripts: list[fake.Script],
    kind: type[relatent.RelatentError],
) -> None:
    server.scripts = list(scripts)
    timeout = 0.5 if kind is relatent.DeadlineError else 20.0
    with pytest.raises(kind) as caught:
        await call(server.address, "invert", PIXELS, timeout=timeout, progress=lambda report: None)
    assert type(caught.value) is kind
    assert caught.value.checkpoint == relatent.Checkpoint(fake.checkpoint(5))
    assert caught.value.__notes__[-1:] == [note for note in caught.value.__notes__ if "checkpoint" in note]
    assert caught.value.__notes__[-1] == "5 steps are done: start=error.checkpoint goes on from there"
    server.scripts = [fake.inverts]
    inversion = await call(server.address, "invert", PIXELS, start=caught.value.checkpoint)
    assert server.requests[-1].options.checkpoint.steps == 5
    assert inversion.losses == WHOLE


async def test_streams_that_time_ran_out_for_after_a_server_left_say_so_and_why(
    call: Call, server: FakeServer, second: FakeServer
) -> None:
    """One of two servers is told to stop; the other one is slower than the clients are patient."""
    server.scripts, second.scripts = [breaks_at_5], [ends_with()]
    with pytest.raises(relatent.DeadlineError) as caught:
        await call([server.address, second.address], "invert", PIXELS, timeout=0.5)
    error = caught.value
    assert str(error) == (
        "time ran out after 0.5 s, in attempt 2: no answer in time; "
        f"the one before: draining ({server.address})"
    )
    assert isinstance(error.__cause__, relatent.UnavailableError)
    assert error.address == second.address


async def test_time_that_runs_out_between_attempts_is_told_as_such_once_there_was_a_report(
    call: Call, server: FakeServer
) -> None:
    server.scripts = [breaks_at_5]
    waits = {"retry": relatent.RetryPolicy(initial=0.3)}  # longer than an attempt
    with pytest.raises(relatent.DeadlineError, match=r"^time ran out after 0\.4 s and \d+ attempts; "):
        await call(server.address, "invert", PIXELS, timeout=0.4, client=waits)


async def test_an_edit_that_fails_loses_nothing_of_its_inversion(call: Call, server: FakeServer) -> None:
    server.scripts = [fake.inverts, fake.fails(grpc.StatusCode.INTERNAL, "so it is")]
    with pytest.raises(relatent.ServerError) as caught:
        await call(server.address, "edit", PIXELS, [relatent.Move("brightness", 1.0)])
    assert caught.value.checkpoint == relatent.Checkpoint(fake.checkpoint(20))


async def test_an_error_before_the_first_report_has_no_checkpoint(call: Call, server: FakeServer) -> None:
    server.scripts = [fake.fails(grpc.StatusCode.INTERNAL, "so it is")]
    with pytest.raises(relatent.ServerError) as caught:
        await call(server.address, "invert", PIXELS)
    assert caught.value.checkpoint is None
    assert not hasattr(caught.value, "__notes__")


def refines(steps: int, every: int, cut: int, whole_curve: bool) -> fake.Script:
    """A server that computes each loss from the one before, as kept in the checkpoint alone.

    Args:
        steps: in all.
        every: how many steps apart checkpoints are; every step is reported.
        cut: the step after which the first call breaks off.
        whole_curve: whether the result has the checkpoint's losses too.
    """
    calls = 0

    async def script(request: Any, context: Any) -> AsyncIterator[Any]:
        nonlocal calls
        calls += 1
        kept = request.options.checkpoint
        value = float(np.frombuffer(kept.state[0].values, "<f8")[0]) if kept.state else 1.0
        losses = list(kept.losses)
        for done in range(kept.steps + 1, steps + 1):
            losses.append(value)
            value = value * 0.75 + 0.01 * done
            at = fake.checkpoint(done)
            at.state[0].values = np.float64(value).tobytes()
            at.losses[:] = losses
            yield fake.progress(done, checkpoint=at if done % every == 0 else None)
            if calls == 1 and done == cut:
                await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "draining")
        answer = fake.result(steps, losses if whole_curve else losses[kept.steps :])
        answer.result.quality.mse = value
        yield answer

    return script


@pytest.mark.parametrize("whole_curve", [True, False], ids=["whole curve", "remaining curve"])
@pytest.mark.parametrize("cut", [1, 4, 7, 12])
async def test_a_stream_cut_at_or_between_checkpoints_ends_as_an_uncut_one(
    call: Call, server: FakeServer, cut: int, whole_curve: bool
) -> None:
    server.scripts = [refines(12, every=4, cut=0, whole_curve=whole_curve)]
    uncut = await call(server.address, "invert", PIXELS)
    server.scripts = [refines(12, every=4, cut=cut, whole_curve=whole_curve)]
    resumed = await call(server.address, "invert", PIXELS)
    assert server.requests[-1].options.checkpoint.steps == cut - cut % 4
    assert resumed.losses == uncut.losses
    assert len(resumed.losses) == resumed.steps == 12
    assert resumed.quality == uncut.quality
    assert resumed.resumed == (cut >= 4)


def test_curves_join_without_gap_or_overlap() -> None:
    assert whole_curve([3.0, 2.0], [1.0], 3) == (3.0, 2.0, 1.0)
    assert whole_curve([3.0, 2.0], [3.0, 2.0, 1.0], 3) == (3.0, 2.0, 1.0)
    assert whole_curve([], [], 0) == ()
