"""Sessions of both clients: changes in, answers out, servers lost on the way."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2

import relatent
from relatent.client import forks
from relatent.v1 import editing_pb2
from tests.relatent.client import fake
from tests.relatent.client.fake import FakeServer
from tests.relatent.client.holding import CODE, PIXELS, SMILE, holding


def refused(number: int) -> editing_pb2.EditStreamResponse:
    violation = error_details_pb2.BadRequest.FieldViolation(field="change.operations[0]", description="bad")
    refusal = editing_pb2.EditStreamResponse(answer=editing_pb2.EditChangeAnswer(number=number))
    refusal.answer.refusal.code = grpc.StatusCode.INVALID_ARGUMENT.value[0]
    refusal.answer.refusal.message = "change.operations[0]: bad"
    for detail in (
        error_details_pb2.ErrorInfo(reason="INVALID_FIELD"),
        error_details_pb2.BadRequest(field_violations=[violation]),
        fake.retry_info(0.25),
    ):
        box = any_pb2.Any()
        box.Pack(detail)
        refusal.answer.refusal.details.append(box)
    return refusal


async def test_each_answer_says_which_change_it_is_of_and_the_last_one_comes(
    kind: str, server: FakeServer
) -> None:
    async with holding(kind, server.address, CODE) as session:
        assert session.change(SMILE) == 1
        answer = await session.answer()
        assert (answer.number, answer.dropped) == (1, 0)
        assert answer.edited.image.width == 8
        numbers = [session.change(SMILE) for _ in range(200)]
        session.finish()
        found = await session.rest()
    assert numbers == list(range(2, 202))
    assert found[-1].number == 201
    assert sum(1 + answer.dropped for answer in found) == 200


async def test_a_refused_change_raises_its_error_and_the_session_goes_on(
    kind: str, server: FakeServer
) -> None:
    async def refuses_the_first(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            if request.HasField("open"):
                yield fake.opened()
            elif request.change.number == 1:
                yield refused(1)
            else:
                yield fake.answered(request.change.number)

    server.scripts = [refuses_the_first]
    async with holding(kind, server.address, CODE) as session:
        session.change(SMILE)
        with pytest.raises(relatent.InvalidArgumentError) as caught:
            await session.answer()
        for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
            assert (error.change, error.reason, error.retry_after) == (1, "INVALID_FIELD", 0.25)
            assert error.violations == (relatent.FieldViolation("change.operations[0]", "bad"),)
            assert error.address == server.address
        session.change(SMILE)
        assert (await session.answer()).number == 2
        session.change(SMILE)
        session.finish()
        assert [answer.number for answer in await session.rest()] == [3]


async def test_an_opening_that_is_refused_is_told_where_it_is_opened(kind: str, server: FakeServer) -> None:
    server.scripts = [fake.fails(grpc.StatusCode.NOT_FOUND, "no such pack")]
    with pytest.raises(relatent.NotFoundError, match="no such pack"):
        async with holding(kind, server.address, CODE):
            pass
    server.scripts = [fake.fails(grpc.StatusCode.UNIMPLEMENTED, "older")]
    with pytest.raises(relatent.UnimplementedError):
        async with holding(kind, server.address, CODE):
            pass


async def test_a_session_is_opened_once_though_it_failed_before_it_was_opened(
    kind: str, server: FakeServer
) -> None:
    server.scripts = [fake.fails(grpc.StatusCode.NOT_FOUND, "no such pack")]
    made: Any = relatent.Client if kind == "blocking" else relatent.AsyncClient
    session = made(server.address).edit_session(PIXELS)

    async def enter() -> None:
        await (asyncio.to_thread(session.__enter__) if kind == "blocking" else session.__aenter__())

    with pytest.raises(relatent.NotFoundError):
        await enter()
    with pytest.raises(relatent.ClientStateError, match="a session is opened once"):
        await enter()


async def test_a_server_that_does_not_open_in_time_is_given_up(kind: str, server: FakeServer) -> None:
    server.scripts = [fake.hangs]
    with pytest.raises(relatent.DeadlineError, match="no answer in time"):
        async with holding(kind, server.address, CODE, timeout=0.3):
            pass


async def test_a_session_lasts_longer_than_the_timeout(kind: str, server: FakeServer) -> None:
    async with holding(kind, server.address, CODE, timeout=0.2) as session:
        await asyncio.sleep(0.5)
        session.change(SMILE)
        assert (await session.answer()).number == 1
    assert len(server.requests) == 1


async def test_no_answer_in_time_ends_nothing(kind: str, server: FakeServer) -> None:
    async with holding(kind, server.address, CODE) as session:
        with pytest.raises(relatent.DeadlineError, match=r"no answer within 0\.05 s"):
            await session.answer(0.05)
        session.change(SMILE)
        assert (await session.answer()).number == 1


async def test_answers_that_are_not_read_are_not_piled_up(kind: str, server: FakeServer) -> None:
    sent = 0

    async def floods(requests: Any, context: Any) -> AsyncIterator[Any]:
        nonlocal sent
        async for request in requests:
            if request.HasField("open"):
                yield fake.opened()
                continue
            for number in range(1, request.change.number + 1):
                large = fake.answered(number)
                large.answer.edited.image.data = bytes(100_000)
                yield large
                sent = number

    server.scripts = [floods]
    async with holding(kind, server.address, CODE) as session:
        numbers = [session.change(SMILE) for _ in range(1000)]
        await asyncio.sleep(0.5)
        before = sent
        await asyncio.sleep(0.3)
        assert before == sent < numbers[-1] / 2


async def test_a_slow_reader_is_answered_what_was_said_when_it_read_on(kind: str, server: FakeServer) -> None:
    came: list[int] = []

    async def notes(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            came.append(request.change.number)
            yield fake.answered(request.change.number) if request.HasField("change") else fake.opened()

    server.scripts = [notes]
    async with holding(kind, server.address, CODE) as session:
        session.change(SMILE)
        async with asyncio.timeout(5):
            while not session.has_unread:
                await asyncio.sleep(0.002)
        for _ in range(99):
            session.change(SMILE)
            await asyncio.sleep(0.001)
        assert came == [0, 1]
        assert [(await session.answer()).number for _ in range(2)] == [1, 100]
        session.finish()
        assert await session.rest() == []
    assert came == [0, 1, 100]


async def test_closing_wakes_whoever_waits_for_an_answer(kind: str, server: FakeServer) -> None:
    async with holding(kind, server.address, CODE) as session:
        waiting = asyncio.create_task(session.answer(None))
        iterating = asyncio.create_task(session.rest())
        await asyncio.sleep(0.1)
        await session.close()
        with pytest.raises(relatent.ClientStateError, match="the session is over"):
            await asyncio.wait_for(waiting, 5)
        assert await asyncio.wait_for(iterating, 5) == []
        with pytest.raises(relatent.ClientStateError, match="finished or closed"):
            session.change(SMILE)


async def test_hanging_up_is_told_to_the_server(kind: str, server: FakeServer) -> None:
    gone = asyncio.Event()

    async def waits(requests: Any, context: Any) -> AsyncIterator[Any]:
        try:
            async for _ in requests:
                yield fake.opened()
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            gone.set()
            raise

    server.scripts = [waits]
    async with holding(kind, server.address, CODE):
        pass
    await asyncio.wait_for(gone.wait(), 5)


async def test_a_session_that_was_closed_has_no_call_under_way_that_a_fork_could_come_amid(
    server: FakeServer,
) -> None:
    async with holding("blocking", server.address, CODE) as session:
        assert forks._under_way == 1
        await session.close()
        assert forks._under_way == 0


async def test_after_the_last_change_none_is_taken(kind: str, server: FakeServer) -> None:
    async with holding(kind, server.address, CODE) as session:
        session.finish()
        with pytest.raises(relatent.ClientStateError, match="finished or closed"):
            session.change(SMILE)


def test_a_session_is_used_in_its_block() -> None:
    session = relatent.Client("127.0.0.1:1").edit_session(CODE)
    with pytest.raises(relatent.ClientStateError, match="with block"):
        session.change([SMILE])
    with pytest.raises(relatent.ClientStateError, match="with block"):
        session.answer()


async def test_a_client_closed_under_its_session_says_so(kind: str, server: FakeServer) -> None:
    made: Any = relatent.Client if kind == "blocking" else relatent.AsyncClient
    client = made(server.address)
    session = client.edit_session(CODE)
    if kind == "blocking":
        await asyncio.to_thread(session.__enter__)
        client.close()
        with pytest.raises(relatent.ClientStateError):
            await asyncio.to_thread(session.answer, 5)
    else:
        await session.__aenter__()
        await client.close()
        with pytest.raises(relatent.ClientStateError):
            await session.answer(5)


async def test_many_threads_change_one_session(server: FakeServer) -> None:
    async with holding("blocking", server.address, CODE) as session:
        numbers: list[int] = []

        def slide() -> None:
            numbers.extend(session.change(SMILE) for _ in range(100))

        threads = [threading.Thread(target=slide) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        session.finish()
        found = await session.rest()
    assert sorted(numbers) == list(range(1, 401))
    assert found[-1].number == 400
    assert sum(1 + answer.dropped for answer in found) == 400
