"""A session whose server is lost is opened again, and nothing that was answered is asked for anew."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

import relatent
from tests.relatent.client import fake
from tests.relatent.client.fake import FakeServer
from tests.relatent.client.holding import CODE, PIXELS, SMILE, holding


class Script:
    """A server's side of one call: notes what it is sent, answers changes up to a number, then does as told.

    Attributes:
        opening: what opened the session.
        numbers: of the changes that came.
    """

    def __init__(self, server: FakeServer, upto: int = 10**6, then: str = "die") -> None:
        self.opening: Any = None
        self.numbers: list[int] = []
        self.changed = asyncio.Event()
        self._server, self._upto, self._then = server, upto, then

    async def __call__(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            if request.HasField("open"):
                self.opening = request.open
                yield fake.opened()
            else:
                self.numbers.append(request.change.number)
                self.changed.set()
            if self.numbers and self.numbers[-1] <= self._upto:
                yield fake.answered(self.numbers[-1])
            if (self.numbers or [0])[-1] >= self._upto:
                await self._end(context)

    async def _end(self, context: Any) -> None:
        await asyncio.sleep(0.05)  # let the messages leave
        if self._then == "drain":
            await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "draining", fake.retry_info(0.02))
        death = asyncio.create_task(self._server.die())
        await asyncio.sleep(30)
        await death


async def test_an_image_is_inverted_first_and_its_code_outlives_the_server(
    kind: str, server: FakeServer, second: FakeServer
) -> None:
    first, again = Script(server, upto=1), Script(second)
    server.scripts, second.scripts = [fake.inverts, first], [again]
    async with holding(kind, [server.address, second.address], PIXELS, invert={"steps": 20}) as session:
        assert session.inversion is not None
        assert session.inversion.steps == 20
        session.change(SMILE)
        assert (await session.answer()).number == 1
        session.change(SMILE)
        assert (await session.answer()).number == 2
    assert first.opening == again.opening
    assert again.opening.latent == fake.latent()
    assert len(second.requests) == 1, "it was not inverted again"


async def test_a_lost_server_costs_no_more_than_the_change_it_was_at(
    kind: str, server: FakeServer, second: FakeServer
) -> None:
    first, again = Script(server, upto=2), Script(second)
    server.scripts, second.scripts = [first], [again]
    async with holding(kind, [server.address, second.address], CODE) as session:
        session.change(SMILE)
        assert (await session.answer()).number == 1
        session.change(SMILE)
        assert (await session.answer()).number == 2
        session.change(SMILE)
        answer = await session.answer()
        assert (answer.number, answer.dropped) == (3, 0)
        session.finish()
        assert await session.rest() == []
    assert again.numbers == [3]


async def test_the_newest_change_without_an_answer_is_answered_elsewhere(
    kind: str, server: FakeServer, second: FakeServer
) -> None:
    async def dies_at_work(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            if request.HasField("open"):
                yield fake.opened()
            else:
                await asyncio.sleep(0.05)
                death = asyncio.create_task(server.die())
                await asyncio.sleep(30)
                await death

    again = Script(second)
    server.scripts, second.scripts = [dies_at_work], [again]
    async with holding(kind, [server.address, second.address], CODE) as session:
        session.change(SMILE)
        await asyncio.sleep(0.02)
        session.change(SMILE)
        last = session.change(SMILE)
        answer = await session.answer()
        assert (answer.number, answer.dropped) == (last, last - 1)
    assert again.numbers == [last]


async def test_a_server_that_drains_is_left_and_come_back_to(kind: str, server: FakeServer) -> None:
    server.scripts = [
        Script(server, upto=1, then="drain"),
        Script(server, upto=2, then="drain"),
        Script(server),
    ]
    async with holding(kind, server.address, CODE) as session:
        for number in (1, 2, 3):
            session.change(SMILE)
            assert (await session.answer()).number == number
    assert len(server.requests) == 3


async def test_an_idle_session_outlives_its_server(kind: str, server: FakeServer, second: FakeServer) -> None:
    again = Script(second)
    second.scripts = [again]
    async with holding(kind, [server.address, second.address], CODE) as session:
        await server.die()
        async with asyncio.timeout(5):
            while again.opening is None:
                await asyncio.sleep(0.01)
        assert again.numbers == []
        session.change(SMILE)
        assert (await session.answer()).number == 1


async def test_where_no_server_is_left_that_is_told_within_the_timeout_and_again(
    kind: str, server: FakeServer
) -> None:
    server.scripts = [Script(server, upto=1)]
    async with holding(kind, server.address, CODE, client={"timeout": 0.5}) as session:
        session.change(SMILE)
        assert (await session.answer()).number == 1
        session.change(SMILE)
        for _ in range(2):
            with pytest.raises(relatent.UnavailableError) as caught:
                await session.answer(5)
            assert caught.value.change is None
            assert pickle.loads(pickle.dumps(caught.value)).code is caught.value.code
        with pytest.raises(relatent.UnavailableError):
            session.change(SMILE)
        with pytest.raises(relatent.UnavailableError):
            await session.rest()


async def test_a_server_whose_loss_is_noticed_by_a_change_alone_is_replaced_however_long_it_was_idle(
    kind: str, server: FakeServer, second: FakeServer
) -> None:
    server.scripts = [lost_at_work]
    async with holding(kind, [server.address, second.address], CODE, timeout=0.3) as session:
        await asyncio.sleep(0.5)
        session.change(SMILE)
        assert (await session.answer()).number == 1


async def lost_at_work(requests: Any, context: Any) -> AsyncIterator[Any]:
    """Open, and be lost at the first change."""
    async for request in requests:
        if request.HasField("change"):
            await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "lost")
        yield fake.opened()


async def test_a_change_that_every_server_is_lost_at_ends_the_session_though_others_follow(
    kind: str, server: FakeServer, second: FakeServer
) -> None:
    server.scripts = second.scripts = [lost_at_work]
    async with holding(kind, [server.address, second.address], CODE, timeout=0.5) as session:

        async def slide() -> None:
            while True:
                session.change(SMILE)
                await asyncio.sleep(0.01)

        sliding = asyncio.create_task(slide())
        # gRPC keeps no status of a stream that ends as it is written to, which may happen to any of them.
        over = r"(?s)(lost|ended the stream while it was written to).*time ran out after 0\.5 s"
        with pytest.raises(relatent.UnavailableError, match=over):
            await session.answer(10)
        with pytest.raises(relatent.UnavailableError, match=over):
            await asyncio.wait_for(sliding, 5)


def idle() -> Any:
    """A server's side of a call that it ends for its silence, once a change was answered."""
    info = error_details_pb2.ErrorInfo(reason="SESSION_IDLE", domain="relatent")

    async def script(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield fake.answered(request.change.number) if request.HasField("change") else fake.opened()
            if request.HasField("change"):
                break
        await asyncio.sleep(0.05)  # let the messages leave
        await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "said nothing", info, fake.retry_info(0.02))

    return script


async def test_a_session_that_its_server_ended_for_its_silence_is_opened_again_by_the_next_change_alone(
    kind: str, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.scripts = [idle()]
    async with holding(kind, server.address, CODE) as session:
        for number in (1, 2, 3):
            session.change(SMILE)
            assert (await session.answer()).number == number
            await asyncio.sleep(0.3)
            assert len(server.requests) == number
        session.finish()
        assert await session.rest() == []
    assert caplog.records == [], "it was taken for a server that was lost"


@pytest.mark.parametrize("end", ["session", "client"])
async def test_a_session_that_waits_for_its_next_change_is_closed(
    kind: str, end: str, server: FakeServer
) -> None:
    server.scripts = [idle()]
    async with holding(kind, server.address, CODE) as session:
        session.change(SMILE)
        assert (await session.answer()).number == 1
        await asyncio.sleep(0.3)
        reading = asyncio.create_task(session.rest())
        if end == "session":
            await session.close()
            assert await asyncio.wait_for(reading, 5) == []
            return
        closing = session.session._transport.close()
        if closing is not None:
            await closing
        with pytest.raises(relatent.ClientStateError, match="closed"):
            await asyncio.wait_for(reading, 5)
    assert len(server.requests) == 1
