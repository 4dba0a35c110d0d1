"""Telling a process that hangs from one that takes its time, on real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from relatent_service.engine.embedded import hanging
from relatent_service.engine.embedded.hanging import Calls, Watch

BUSY = [sys.executable, "-c", "while True: pass"]
IDLE = ["sleep", "60"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hanging, "LOOK_SECONDS", 0.02)


@pytest.fixture
def triton() -> Iterator[int]:
    yield from running(IDLE)


@pytest.fixture
def idle() -> Iterator[int]:
    yield from running(IDLE)


@pytest.fixture
def busy() -> Iterator[int]:
    yield from running(BUSY)


def running(command: list[str]) -> Iterator[int]:
    process = subprocess.Popen(command)
    yield process.pid
    process.kill()
    process.wait()


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def outcome(watch: Watch, seconds: float = 10) -> str:
    return await asyncio.wait_for(watch.until_one_hangs(), seconds)


async def test_a_worker_that_sleeps_though_it_is_waited_for_hangs(triton: int, idle: int) -> None:
    calls = Calls()
    watch = Watch(triton, {idle: "toy"}, calls, yes)
    with calls.under_way("toy"):
        assert (
            await outcome(watch) == f"Triton's worker {idle} of toy hangs: it sleeps, though it is waited for"
        )
    assert watch.suspicious, "it was suspected before it was sure"


async def test_a_worker_that_works_does_not_hang_nor_one_that_nobody_waits_for(
    triton: int, idle: int, busy: int
) -> None:
    calls = Calls()
    watch = Watch(triton, {idle: "toy_idle", busy: "toy_busy"}, calls, yes)
    with calls.under_way("toy_busy"), pytest.raises(TimeoutError):
        await outcome(watch, 0.5)
    assert not watch.suspicious


async def test_calls_that_come_and_go_are_no_call_that_waits(triton: int, idle: int) -> None:
    calls = Calls()
    watch = Watch(triton, {idle: "toy"}, calls, yes)
    looking = asyncio.create_task(outcome(watch, 0.5))
    while not looking.done():
        with calls.under_way("toy"):
            await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError):
        await looking


async def test_whatever_is_stopped_hangs_though_nobody_waits_for_it(triton: int, busy: int) -> None:
    os.kill(busy, signal.SIGSTOP)
    watch = Watch(triton, {busy: "toy"}, Calls(), yes)
    assert await outcome(watch) == f"Triton's worker {busy} of toy hangs: it is stopped"


async def test_a_triton_that_sleeps_and_does_not_answer_hangs(triton: int, busy: int) -> None:
    watch = Watch(triton, {busy: "toy"}, Calls(), no)
    assert await outcome(watch) == f"Triton, process {triton}, hangs: it sleeps, though it is waited for"


async def test_a_triton_that_is_too_busy_to_answer_does_not_hang(busy: int, idle: int) -> None:
    watch = Watch(busy, {idle: "toy"}, Calls(), no)
    with pytest.raises(TimeoutError):
        await outcome(watch, 0.5)
    assert not watch.suspicious


async def test_one_that_goes_on_is_suspected_no_longer(triton: int, busy: int) -> None:
    watch = Watch(triton, {busy: "toy"}, Calls(), yes)
    looking = asyncio.create_task(outcome(watch))
    os.kill(busy, signal.SIGSTOP)
    while not watch.suspicious:
        await asyncio.sleep(0.001)
    os.kill(busy, signal.SIGCONT)
    while watch.suspicious:
        await asyncio.sleep(0.001)
    assert not looking.done()
    looking.cancel()


async def test_one_that_has_ended_is_none_that_hangs() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(TimeoutError):
        await outcome(Watch(ended.pid, {}, Calls(), no), 0.3)
