"""A worker that Triton gave up, and that goes on: nobody gets the answer to another's call."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time

import numpy as np
import pytest

from relatent_service.engine.embedded.engine import EmbeddedEngine
from relatent_service.engine.embedded.launch import workers_of
from relatent_service.engine.retrying import RetryingEngine
from tests.service.engine.family import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLERS = 16
GIVEN_UP_SECONDS = 1.0
"""After which Triton gives up a worker that does not answer."""
CONFUSED = "may mistake one call's answer for another's"


def worker_of(embedded: EmbeddedEngine) -> int:
    assert embedded.triton.pid is not None
    return next(pid for pid, graph in workers_of(embedded.triton.pid).items() if graph == "toy_double")


async def told_or_replaced(embedded: EmbeddedEngine, caplog: pytest.LogCaptureFixture) -> None:
    before = embedded.triton.restarts
    await wait_until(lambda: CONFUSED in caplog.text or embedded.triton.restarts > before)


async def test_triton_is_replaced_as_soon_as_it_says_so_and_every_call_has_its_own_answer(
    embedded: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine, over = RetryingEngine(embedded, lambda: None), asyncio.Event()
    answered = [0] * CALLERS

    async def call(caller: int) -> None:
        x = np.full((1, 3), caller, np.float32)
        while not over.is_set():
            outputs = (await engine.infer("toy_double", {"x": x}, timeout=60)).outputs
            np.testing.assert_array_equal(outputs["y"], 2 * x)
            answered[caller] += 1

    async def all_answered_anew() -> None:
        before = list(answered)
        await wait_until(lambda: all(now > then for now, then in zip(answered, before, strict=True)))

    async with asyncio.TaskGroup() as group:
        for caller in range(CALLERS):
            group.create_task(call(caller))
        await all_answered_anew()
        for _ in range(3):
            began, before, worker = time.monotonic(), embedded.triton.restarts, worker_of(embedded)
            os.kill(worker, signal.SIGSTOP)
            await told_or_replaced(embedded, caplog)
            if CONFUSED in caplog.text:
                break
            # On a busy machine whoever watches for hangs may be sooner than Triton: it is replaced as well.
            await all_answered_anew()
        assert CONFUSED in caplog.text
        assert time.monotonic() - began > GIVEN_UP_SECONDS / 2
        with contextlib.suppress(ProcessLookupError):  # it was killed with its Triton
            os.kill(worker, signal.SIGCONT)
        await wait_until(lambda: embedded.triton.restarts > before)
        await all_answered_anew()
        over.set()
