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


async def test_triton_is_replaced_as_soon_as_it_says_so_and_every_call_has_its_own_answer(
    embedded: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    assert embedded.triton.pid is not None
    worker = next(pid for pid, graph in workers_of(embedded.triton.pid).items() if graph == "toy_double")
    engine, restarts, over = RetryingEngine(embedded, lambda: None), embedded.triton.restarts, asyncio.Event()
    answered = [0] * CALLERS

    async def call(caller: int) -> None:
        x = np.full((1, 3), caller, np.float32)
        while not over.is_set():
            outputs = (await engine.infer("toy_double", {"x": x}, timeout=60)).outputs
            np.testing.assert_array_equal(outputs["y"], 2 * x)
            answered[caller] += 1

    async with asyncio.TaskGroup() as group:
        for caller in range(CALLERS):
            group.create_task(call(caller))
        await wait_until(lambda: min(answered) > 0)
        os.kill(worker, signal.SIGSTOP)
        began = time.monotonic()
        await wait_until(lambda: "may mistake one call's answer for another's" in caplog.text)
        assert time.monotonic() - began > GIVEN_UP_SECONDS / 2
        with contextlib.suppress(ProcessLookupError):  # it was killed with its Triton
            os.kill(worker, signal.SIGCONT)
        await wait_until(lambda: embedded.triton.restarts > restarts)
        before = list(answered)
        await wait_until(lambda: all(now > then for now, then in zip(answered, before, strict=True)))
        over.set()
