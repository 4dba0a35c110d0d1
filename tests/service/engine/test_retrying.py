from __future__ import annotations

import asyncio
from collections.abc import Mapping

import numpy as np
import pytest

from relatent_service.engine import retrying
from relatent_service.engine.engine import (
    Answer,
    Array,
    EngineRejected,
    EngineTimedOut,
    EngineUnavailable,
    Graph,
)
from relatent_service.engine.retrying import RetryingEngine


class FlakyEngine:
    """Fails a number of times before it answers, and remembers the timeouts given."""

    def __init__(self, failures: int, error: type[Exception] = EngineUnavailable) -> None:
        self.graphs: Mapping[str, Graph] = {}
        self.timeouts: list[float | None] = []
        self._failures = failures
        self._error = error

    async def start(self) -> None:
        raise NotImplementedError

    async def healthy(self) -> bool:
        return not self._failures

    async def infer(self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None) -> Answer:
        self.timeouts.append(timeout)
        if len(self.timeouts) <= self._failures:
            raise self._error(f"failure {len(self.timeouts)}")
        return Answer({"answer": np.array([42])}, 0.0)

    async def stop(self) -> None:
        raise NotImplementedError


async def test_an_unavailable_engine_is_asked_again_and_each_repetition_is_told() -> None:
    retries: list[int] = []
    engine = FlakyEngine(3)
    answer = await RetryingEngine(engine, lambda: retries.append(1)).infer("g", {}, timeout=10)
    assert answer.outputs["answer"] == 42
    assert len(retries) == 3
    assert len(engine.timeouts) == 4


async def test_each_repetition_gets_what_is_left_of_the_time() -> None:
    engine = FlakyEngine(3)
    await RetryingEngine(engine, lambda: None).infer("g", {}, timeout=10)
    left = [timeout for timeout in engine.timeouts if timeout is not None]
    assert len(left) == 4
    assert 10 >= left[0] > left[1] > left[2] > left[3] > 8


@pytest.mark.parametrize(("timeout", "patience"), [(0.3, 60.0), (60.0, 0.3), (None, 0.3)])
async def test_it_gives_up_as_unavailable_when_the_time_is_up_or_patience_ends_for_another_to_be_asked(
    timeout: float | None, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "PATIENCE_SECONDS", patience)
    engine = FlakyEngine(10**6)
    clock = asyncio.get_running_loop().time
    began = clock()
    with pytest.raises(EngineUnavailable):
        await RetryingEngine(engine, lambda: None).infer("g", {}, timeout)
    assert clock() - began < 5
    assert 2 <= len(engine.timeouts) < 20, "pauses grow"


@pytest.mark.parametrize("error", [EngineRejected, EngineTimedOut])
async def test_other_failures_are_not_repeated(error: type[Exception]) -> None:
    engine = FlakyEngine(1, error)
    with pytest.raises(error):
        await RetryingEngine(engine, lambda: None).infer("g", {}, timeout=10)
    assert len(engine.timeouts) == 1
