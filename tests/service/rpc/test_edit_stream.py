"""Sessions: what is answered, in which order, and what ends one."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest

from relatent.v1 import editing_pb2 as v1
from relatent.v1 import inversion_pb2, types_pb2
from relatent_service.engine.engine import EngineUnavailable
from tests.fixtures.requests import code, encoded, image, latent, reason, violated
from tests.fixtures.running import running_server
from tests.fixtures.sessions import change, move, open_session, refusal_details

pytestmark = pytest.mark.asyncio(loop_scope="function")

SYNTHESIZE = "tiny_synthesize"
EXACT = v1.Operation(
    attribute_target=v1.AttributeTarget(goals=[v1.AttributeGoal(attribute="brightness", to=[0.6])])
)
CHANGES = {
    "nothing": [],
    "a move": [move(0.5)],
    "two": [move(0.5), v1.Operation(truncation=v1.Truncation(psi=0.5))],
    "an exact edit": [EXACT],
    "an exact edit of a move": [move(0.25), EXACT],
}


def opening(**fields: Any) -> v1.EditStreamRequest:
    return v1.EditStreamRequest(open=v1.EditSessionOpening(**{"latent": latent(code(1)), **fields}))


def top(**fields: Any) -> v1.Region:
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 255
    return v1.Region(mask=types_pb2.Image(data=encoded(mask)), **fields)


def outcomes(running: Any) -> dict[str, float]:
    names = ("answered", "refused", "dropped")
    return {name: running.metric("relatent_session_changes_total", outcome=name) for name in names}


async def ended(running: Any, *requests: v1.EditStreamRequest) -> grpc.RpcError:
    """The error that a session of these messages ends with."""
    call = running.editing.EditStream(iter_of(requests), timeout=20)
    with pytest.raises(grpc.RpcError) as caught:
        async for _ in call:
            pass
    return caught.value


async def iter_of(requests: Any) -> Any:
    for request in requests:
        yield request


@pytest.mark.parametrize(
    "fields",
    [{}, {"region": top()}, {"region": top(feather=1.0)}, {"output_format": types_pb2.IMAGE_FORMAT_RAW_RGB}],
)
async def test_answers_are_to_the_byte_what_edits_of_the_source_give(running: Any, fields: Any) -> None:
    async with open_session(running.editing, **fields) as session:
        for _ in range(2):
            for number, operations in enumerate(CHANGES.values(), 1):
                await session.change(number + 10 * _, *operations)
                answer = await session.answer()
                request = v1.EditRequest(latent=latent(code(1)), operations=operations, **fields)
                (expected,) = (await running.editing.Edit(request, timeout=10)).images
                assert answer.edited == expected
                assert answer.dropped == 0
                assert answer.timings.total.ToNanoseconds() > 0
    await running.until(lambda: running.server.lifecycle.running == 0)


async def test_an_image_is_inverted_as_it_is_opened_and_its_code_is_edited(running: Any) -> None:
    options = inversion_pb2.InversionOptions(refinement=inversion_pb2.Refinement(steps=4))
    source = v1.ImageSource(image=image(), options=options)
    expected = await running.editing.Edit(v1.EditRequest(image=source, operations=[EXACT]), timeout=10)
    async with open_session(running.editing, image=source) as session:
        assert session.opened.inversion.latent == expected.inversion.latent
        assert session.opened.inversion.steps == 4
        await session.change(1, EXACT)
        assert (await session.answer()).edited == expected.images[0]


async def test_the_source_is_drawn_and_read_once_however_often_it_is_edited(running: Any) -> None:
    async with open_session(running.editing, region=top()) as session:
        for number in (1, 2, 3):
            await session.change(number, move(number / 10))
            await session.answer()
        assert running.engine.calls == [(SYNTHESIZE, 1)] * 4
        running.engine.calls.clear()
        targets = [(await ask(session, number, EXACT)).edited.targets[0].rounds for number in (4, 5)]
        reads = [call for call in running.engine.calls if call[0] == "tiny_attributes"]
        assert len(reads) == sum(targets) + 1


async def ask(session: Any, number: int, *operations: v1.Operation) -> v1.EditChangeAnswer:
    await session.change(number, *operations)
    answer: v1.EditChangeAnswer = await session.answer()
    return answer


async def test_of_all_that_come_while_one_is_at_work_the_newest_is_answered(running: Any) -> None:
    running.engine.hold(SYNTHESIZE)
    async with open_session(running.editing) as session:
        await session.change(1, move(0.1))
        await running.engine.held(SYNTHESIZE)
        for number in range(2, 52):
            await session.change(number, move(number / 100))
        await running.until(lambda: outcomes(running)["dropped"] == 49)
        running.engine.release(SYNTHESIZE)
        first, last = await session.rest()
    assert (first.number, first.dropped) == (1, 0)
    assert (last.number, last.dropped) == (51, 49)
    assert running.engine.calls == [(SYNTHESIZE, 1)] * 2
    assert outcomes(running) == {"answered": 2, "refused": 0, "dropped": 49}
    await running.until(lambda: running.metric("relatent_sessions") == 0)


async def test_the_last_change_is_answered_after_its_caller_said_that_it_was(running: Any) -> None:
    running.engine.delay = 0.05
    async with open_session(running.editing) as session:
        for number in range(1, 8):
            await session.change(number, move(number / 10))
        found = await session.rest()
        assert found[-1].number == 7
        assert len(found) + sum(answer.dropped for answer in found) == 7
        assert await session.call.code() is grpc.StatusCode.OK


async def test_a_session_without_a_change_ends_in_order(running: Any) -> None:
    async with open_session(running.editing) as session:
        assert await session.rest() == []
        assert await session.call.code() is grpc.StatusCode.OK


REFUSED = {
    "change.operations[0].direction.direction": [
        v1.Operation(direction=v1.DirectionMove(direction="nonsense", strengths=[1]))
    ],
    "change.operations[1].direction.strengths": [
        move(1),
        v1.Operation(direction=v1.DirectionMove(direction="brightness", strengths=[1, 2])),
    ],
    "change.operations[0].attribute_target.goals[0].to": [
        v1.Operation(
            attribute_target=v1.AttributeTarget(goals=[v1.AttributeGoal(attribute="redness", to=[0.1, 0.2])])
        )
    ],
    "change.operations[0].direction.strengths": [move(3e38), move(3e38), move(3e38)],
    "change.operations[0]": [v1.Operation()],
    "change.operations": [move(0.0)] * 65,
}


@pytest.mark.parametrize("field", REFUSED)
async def test_a_change_that_is_refused_is_told_in_its_stead_and_the_session_goes_on(
    running: Any, field: str
) -> None:
    async with open_session(running.editing) as session:
        answer = await ask(session, 1, *REFUSED[field])
        assert (answer.number, answer.WhichOneof("outcome")) == (1, "refusal")
        details = refusal_details(answer.refusal)
        (violation,) = details["BadRequest"].field_violations
        if field == "change.operations[0].direction.strengths":
            assert details["ErrorInfo"].reason == "NOT_FINITE"
            assert violation.field.startswith("change.operations[")
        else:
            assert violation.field == field
        assert "expected" in violation.description or "there are" in violation.description
        assert details["ErrorInfo"].metadata["request_id"]
        assert (await ask(session, 2, move(0.5))).HasField("edited")
    assert outcomes(running) == {"answered": 1, "refused": 1, "dropped": 0}


async def test_a_change_that_finds_no_place_is_refused_with_a_time_to_come_back(tiny_root: Any) -> None:
    async with running_server(tiny_root, "--max-inflight", "1", "--max-queue", "1") as running:
        running.engine.hold(SYNTHESIZE)
        async with open_session(running.editing) as session:
            request = v1.EditRequest(latent=latent(code(1)))
            others = [running.editing.Edit(request, timeout=20) for _ in range(2)]
            await running.until(lambda: running.server.admission.waiting == 1)
            answer = await ask(session, 1, move(0.5))
            assert answer.refusal.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
            details = refusal_details(answer.refusal)
            assert details["ErrorInfo"].reason == "QUEUE_FULL"
            assert details["RetryInfo"].retry_delay.ToNanoseconds() > 0
            running.engine.release(SYNTHESIZE)
            for other in others:
                await other
            assert (await ask(session, 2, move(0.5))).HasField("edited")


BROKEN = {
    "open": [change(1)],
    "open.latent.pack": [opening(latent=latent(code(1), pack=""))],
    "open.latent.shape": [opening(latent=latent(code(1), shape=[3, 3]))],
    "open.source": [v1.EditStreamRequest(open=v1.EditSessionOpening())],
    "open.output_format": [opening(output_format=77)],
    "open.region.feather": [opening(region=top(feather=-1))],
    "open.image.image.data": [
        v1.EditStreamRequest(
            open=v1.EditSessionOpening(image=v1.ImageSource(image=types_pb2.Image(data=b"GIF89a")))
        )
    ],
    "change.number": [opening(), change(2), change(2)],
    "change": [opening(), v1.EditStreamRequest()],
}


@pytest.mark.parametrize("field", BROKEN)
async def test_what_is_wrong_with_the_session_itself_ends_it(running: Any, field: str) -> None:
    error = await ended(running, *BROKEN[field])
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated(error) == field
    assert running.server.admission.inflight == 0


@pytest.mark.parametrize(("requests", "field"), [([], "open"), ([opening(), opening()], "open")])
async def test_a_session_is_opened_once_and_first_of_all(running: Any, requests: Any, field: str) -> None:
    assert violated(await ended(running, *requests)) == field


async def test_numbers_begin_at_one(running: Any) -> None:
    error = await ended(running, opening(), change(0))
    assert violated(error) == "change.number"
    assert "at least 1" in error.details()


async def test_an_engine_that_is_gone_ends_it_so_that_its_caller_goes_elsewhere(running: Any) -> None:
    running.engine.errors[SYNTHESIZE] = [EngineUnavailable("gone")]
    error = await ended(running, opening(), change(1))
    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "ENGINE_UNAVAILABLE")


async def test_its_deadline_is_the_calls(running: Any) -> None:
    running.engine.hold(SYNTHESIZE)
    async with open_session(running.editing, timeout=0.5) as session:
        await session.change(1)
        with pytest.raises(grpc.RpcError) as caught:
            await session.answer()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await running.until(lambda: running.server.admission.inflight == 0)
