"""Chunks that are ready at the same moment become one request, and stay as many calls."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from relatent.core.tracing import first_span
from relatent_service.engine import gathering
from relatent_service.engine.engine import (
    Answer,
    Array,
    CutShort,
    EngineError,
    EngineRejected,
    EngineTimedOut,
    EngineUnavailable,
    Graph,
    TensorSpec,
)
from relatent_service.engine.gathering import Attempt, Gathering
from tests.fixtures.traces import recording, traceparent
from tests.fixtures.virtual_time import run_in_virtual_time

GRAPH = Graph("toy_refine", 4, {"x": TensorSpec(np.dtype(np.float32), (1,))}, {})
FREE = Graph("toy_free", 8, {"x": TensorSpec(np.dtype(np.float32), (-1,))}, {})
SECONDS = 1.0


class Server:
    """Answers with twice what it was asked, after a second, or with a failure; keeps what it was asked.

    Attributes:
        asked: the samples of every request.
        ended: how many requests were given up.
        headers: of the last one.
        failure: what happens to a request, by its samples.
    """

    def __init__(self) -> None:
        self.asked: list[list[float]] = []
        self.ended = 0
        self.headers: Any = None
        self.failure: dict[float, EngineError] = {}

    async def ask(self, graph: Graph, inputs: Any, attempt: Attempt) -> Answer:
        samples = inputs["x"][:, 0].tolist()
        self.asked.append(samples)
        self.headers = attempt.headers
        attempt.server, attempt.asked = "here:1", asyncio.get_running_loop().time()
        try:
            await asyncio.sleep(SECONDS)
        except asyncio.CancelledError:
            self.ended += 1
            raise
        for sample in samples:
            if sample in self.failure:
                raise self.failure[sample]
        return Answer({"y": 2 * inputs["x"]}, SECONDS)


def x(*samples: float, width: int = 1) -> dict[str, Array]:
    return {"x": np.repeat(np.array(samples, np.float32)[:, None], width, axis=1)}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(gathering, "monotonic", lambda: asyncio.get_running_loop().time())
    return Server()


@pytest.fixture
def gathered(server: Server) -> Gathering:
    return Gathering(server.ask, lambda: 1)


async def all_of(
    gathered: Gathering, *calls: dict[str, Array], timeout: float | None = None, graph: Graph = GRAPH
) -> list[Any]:
    """What calls get that are made at the same moment: their answers' numbers, or errors."""
    answers = await asyncio.gather(
        *(gathered.infer(graph, call, timeout) for call in calls), return_exceptions=True
    )
    return [
        answer.outputs["y"][:, 0].tolist() if isinstance(answer, Answer) else answer for answer in answers
    ]


def test_calls_of_one_moment_are_one_request_and_each_gets_its_own_answer(
    gathered: Gathering, server: Server
) -> None:
    answers = run_in_virtual_time(all_of(gathered, x(1), x(2, 3), x(4)))
    assert answers == [[2], [4, 6], [8]]
    assert server.asked == [[1, 2, 3, 4]]


def test_those_that_were_woken_together_are_of_one_moment(gathered: Gathering, server: Server) -> None:
    async def woken() -> None:
        async def call(turn: asyncio.Future[None], number: float) -> None:
            await turn
            await gathered.infer(GRAPH, x(number), None)

        turns = [asyncio.get_running_loop().create_future() for _ in range(3)]
        calls = [asyncio.create_task(call(turn, number)) for number, turn in enumerate(turns)]
        await asyncio.sleep(0.1)
        for turn in turns:
            turn.set_result(None)
        await asyncio.gather(*calls)

    run_in_virtual_time(woken())
    assert server.asked == [[0, 1, 2]]


def test_a_call_that_comes_later_is_a_request_of_its_own(gathered: Gathering, server: Server) -> None:
    async def one_after_the_other() -> None:
        first = asyncio.create_task(gathered.infer(GRAPH, x(1), None))
        await asyncio.sleep(0.1)
        await asyncio.gather(first, gathered.infer(GRAPH, x(2), None))

    run_in_virtual_time(one_after_the_other())
    assert server.asked == [[1], [2]]


def test_a_request_has_no_more_samples_than_its_graph_takes(gathered: Gathering, server: Server) -> None:
    answers = run_in_virtual_time(all_of(gathered, x(1, 2, 3), x(4, 5), x(6)))
    assert answers == [[2, 4, 6], [8, 10], [12]]
    assert server.asked == [[1, 2, 3], [4, 5, 6]]


def test_a_request_has_no_more_bytes_than_it_may(
    gathered: Gathering, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_BYTES", 8)
    run_in_virtual_time(all_of(gathered, x(1), x(2), x(3), x(4, 5, 6)))
    assert server.asked == [[1, 2], [3], [4, 5, 6]]


def test_several_servers_get_as_many_samples_each(server: Server) -> None:
    answers = run_in_virtual_time(all_of(Gathering(server.ask, lambda: 2), *(x(n) for n in range(5))))
    assert answers == [[2 * n] for n in range(5)]
    assert server.asked == [[0, 2, 4], [1, 3]]


def test_what_does_not_fit_together_is_sent_by_itself(gathered: Gathering, server: Server) -> None:
    async def mixed() -> None:
        await asyncio.gather(
            all_of(gathered, x(1), x(2)),
            all_of(gathered, x(3), x(4, width=2), x(5), graph=FREE),
        )

    run_in_virtual_time(mixed())
    assert sorted(server.asked) == [[1, 2], [3, 5], [4]]


def test_who_gives_up_leaves_the_others_their_answer(gathered: Gathering, server: Server) -> None:
    async def call(number: float, timeout: float | None = None) -> Any:
        try:
            return await gathered.infer(GRAPH, x(number), timeout)
        except (EngineError, asyncio.CancelledError) as error:
            return error

    async def some_give_up() -> list[Any]:
        late = asyncio.create_task(call(1, SECONDS / 2))
        gone = asyncio.create_task(call(2))
        patient = asyncio.create_task(call(3))
        await asyncio.sleep(SECONDS / 4)
        gone.cancel()
        return [await call for call in (late, gone, patient)]

    late, gone, patient = run_in_virtual_time(some_give_up())
    assert isinstance(late, EngineTimedOut)
    assert str(late) == "toy_refine: no answer within 0.500 s"
    assert isinstance(gone, asyncio.CancelledError)
    for error, seconds in ((late, SECONDS / 2), (gone, SECONDS / 4)):
        assert isinstance(error.__cause__, CutShort)
        assert error.__cause__.seconds == pytest.approx(seconds)
    assert patient.outputs["y"].tolist() == [[6]]
    assert (server.asked, server.ended) == ([[1, 2, 3]], 0)


def test_a_request_ends_with_the_last_who_waits_for_it(gathered: Gathering, server: Server) -> None:
    async def all_give_up() -> None:
        calls = [asyncio.create_task(gathered.infer(GRAPH, x(n), None)) for n in range(2)]
        for call in calls:
            await asyncio.sleep(SECONDS / 4)
            assert server.ended == 0
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(0)
        assert server.ended == 1

    run_in_virtual_time(all_give_up())


def test_a_request_that_is_refused_is_tried_call_by_call(gathered: Gathering, server: Server) -> None:
    server.failure[2] = EngineRejected("not two")
    answers = run_in_virtual_time(all_of(gathered, x(1), x(2), x(3)))
    assert answers[::2] == [[2], [6]]
    assert isinstance(answers[1], EngineRejected)
    assert str(answers[1]) == "not two"
    assert server.asked == [[1, 2, 3], [1], [2], [3]]


def test_a_call_that_is_refused_by_itself_is_not_tried_again(gathered: Gathering, server: Server) -> None:
    server.failure[1] = EngineRejected("not one")
    (refused,) = run_in_virtual_time(all_of(gathered, x(1)))
    assert str(refused) == "not one"
    assert server.asked == [[1]]


def test_trying_alone_takes_no_more_time_than_was_given(gathered: Gathering, server: Server) -> None:
    server.failure[2] = EngineRejected("not two")
    answers = run_in_virtual_time(all_of(gathered, x(1), x(2), timeout=1.5 * SECONDS))
    assert [type(answer) for answer in answers] == [EngineTimedOut] * 2
    assert server.ended == 2


def test_where_the_server_is_away_each_call_has_an_error_of_its_own(
    gathered: Gathering, server: Server
) -> None:
    server.failure[1] = EngineUnavailable("away")
    one, other = run_in_virtual_time(all_of(gathered, x(1), x(2)))
    assert one is not other
    assert [type(error) for error in (one, other)] == [EngineUnavailable] * 2
    assert str(one) == str(other) == "away"
    assert server.asked == [[1, 2]], "whoever repeats calls does so"


def test_what_a_server_itself_gives_up_says_how_long_it_had(gathered: Gathering, server: Server) -> None:
    server.failure[1] = EngineTimedOut("late")
    (late,) = run_in_virtual_time(all_of(gathered, x(1)))
    assert isinstance(late.__cause__, CutShort)
    assert late.__cause__.seconds == pytest.approx(SECONDS)


def test_a_request_tells_the_first_trace_of_its_calls_and_all_of_them_its_server(
    gathered: Gathering, server: Server
) -> None:
    async def call(name: str) -> None:
        with first_span(name):
            await gathered.infer(GRAPH, x(1), None)

    async def some_are_traced() -> None:
        await asyncio.gather(gathered.infer(GRAPH, x(1), None), call("one"), call("other"))

    with recording() as traces:
        run_in_virtual_time(some_are_traced())
        spans = [traces.one("one"), traces.one("other")]
    assert dict(server.headers) == {"traceparent": traceparent(spans[0])}
    assert [dict(span.attributes or {})["server.address"] for span in spans] == ["here:1"] * 2
    assert len(server.asked) == 1


def test_where_no_server_was_asked_a_trace_names_none() -> None:
    async def away(graph: Graph, inputs: Any, attempt: Attempt) -> Answer:
        raise EngineUnavailable("none is there")

    async def call() -> None:
        with first_span("call"):
            await all_of(Gathering(away, lambda: 0), x(1))

    with recording() as traces:
        run_in_virtual_time(call())
        assert "server.address" not in dict(traces.one("call").attributes or {})
