"""What sessions hold of a server: a place while a change is at work, bounded memory, and no time to drain."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from relatent.v1 import editing_pb2 as v1
from relatent.v1 import editing_pb2_grpc
from relatent_service.rpc import edit_stream, interceptors, status
from tests.fixtures.requests import code, details, image, latent, reason
from tests.fixtures.running import running_server
from tests.fixtures.sessions import change, move, open_session

pytestmark = pytest.mark.asyncio(loop_scope="function")

SYNTHESIZE = "tiny_synthesize"
EDIT = v1.EditRequest(latent=latent(code(1)), operations=[move(0.5)])
# What is sent ahead of a reader is bounded by its window.
NARROW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 4096)]
MIB = 2**20


async def test_an_idle_session_holds_no_place(tiny_root: Any) -> None:
    async with running_server(tiny_root, "--max-inflight", "1", "--max-queue", "1") as running:
        async with open_session(running.editing) as first, open_session(running.editing) as second:
            for number in (1, 2, 3):
                for session in (first, second):
                    await session.change(number, move(number / 10))
                    assert (await session.answer()).HasField("edited")
                    assert running.server.admission.inflight == running.server.admission.waiting == 0
            assert running.metric("relatent_sessions") == 2
            assert (await running.editing.Edit(EDIT, timeout=10)).images
        await running.until(lambda: running.metric("relatent_sessions") == 0)


@pytest.mark.parametrize("amid", ["work", "a wait for its place", "an inversion"])
async def test_hanging_up_frees_its_place_at_once(tiny_root: Any, amid: str) -> None:
    async with running_server(tiny_root, "--max-inflight", "1") as running:
        admission, others = running.server.admission, []
        graph = "tiny_refine" if amid == "an inversion" else SYNTHESIZE
        running.engine.hold(graph)
        if amid == "a wait for its place":
            others.append(running.editing.Edit(EDIT, timeout=30))
            await running.engine.held(SYNTHESIZE)
        if amid == "an inversion":
            call = running.editing.EditStream(timeout=30)
            source = v1.ImageSource(image=image())
            await call.write(v1.EditStreamRequest(open=v1.EditSessionOpening(image=source)))
            await running.engine.held(graph)
            call.cancel()
        else:
            async with open_session(running.editing) as session:
                await session.change(1, move(0.5))
                await running.until(lambda: admission.inflight + admission.waiting == 1 + len(others))
        # The engine has still not answered.
        await running.until(lambda: running.server.lifecycle.running == len(others), 2)
        assert (admission.inflight, admission.waiting) == (len(others), 0)
        running.engine.release(graph)
        for other in others:
            await other
        assert (await running.editing.Edit(EDIT, timeout=10)).images


async def say_nothing(running: Any, after: str) -> None:
    """Read on and on; a caller that went silent at some point."""
    if after == "nothing":
        await running.editing.EditStream(timeout=30).read()
    async with open_session(running.editing) as session:
        if after == "an answer":
            await session.change(1, move(0.5))
            await session.answer()
        await session.answer()


@pytest.mark.parametrize("after", ["nothing", "its opening", "an answer"])
async def test_a_caller_that_says_nothing_for_too_long_is_told_and_its_session_costs_nothing_more(
    running: Any, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    seconds = 0.3
    monkeypatch.setattr(edit_stream, "OPENING_SECONDS" if after == "nothing" else "IDLE_SECONDS", seconds)
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        await say_nothing(running, after)
    assert time.monotonic() - began >= seconds
    assert (caught.value.code(), reason(caught.value)) == (grpc.StatusCode.UNAVAILABLE, "SESSION_IDLE")
    await running.until(lambda: running.metric("relatent_sessions") == 0)
    assert running.server.lifecycle.running == 0


async def test_one_session_too_many_is_turned_away_and_told_when_to_come(tiny_root: Any) -> None:
    async with running_server(tiny_root, "--max-sessions", "2") as running:
        async with open_session(running.editing), open_session(running.editing) as last:
            with pytest.raises(grpc.RpcError) as caught:
                async with open_session(running.editing):
                    pass
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert reason(caught.value) == "TOO_MANY_SESSIONS"
            assert details(caught.value)["RetryInfo"].retry_delay.ToMilliseconds() > 0
            await last.change(1, move(0.5))
            assert (await last.answer()).HasField("edited")
        await running.until(lambda: running.metric("relatent_sessions") == 0)
        async with open_session(running.editing):
            pass


async def test_draining_ends_an_idle_session_at_once_so_that_its_caller_goes_elsewhere(running: Any) -> None:
    async with open_session(running.editing) as session:
        await session.change(1, move(0.5))
        await session.answer()
        draining = asyncio.create_task(running.server.drain())
        with pytest.raises(grpc.RpcError) as caught:
            await session.answer()
        assert (caught.value.code(), reason(caught.value)) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
        await asyncio.wait_for(draining, 5)


async def test_draining_ends_one_that_was_never_opened(running: Any) -> None:
    call = running.editing.EditStream(timeout=30)
    await running.until(lambda: running.server.lifecycle.running == 1)
    draining = asyncio.create_task(running.server.drain())
    with pytest.raises(grpc.RpcError) as caught:
        async for _ in call:
            pass
    assert reason(caught.value) == "DRAINING"
    await asyncio.wait_for(draining, 5)


async def test_draining_lets_the_change_at_work_be_answered_first(running: Any) -> None:
    running.engine.hold(SYNTHESIZE)
    async with open_session(running.editing) as session:
        await session.change(1, move(0.5))
        await running.engine.held(SYNTHESIZE)
        await session.change(2, move(0.6))
        draining = asyncio.create_task(running.server.drain())
        await running.until(lambda: running.server.lifecycle.is_draining)
        running.engine.release(SYNTHESIZE)
        assert (await session.answer()).number == 1
        with pytest.raises(grpc.RpcError) as caught:
            await session.answer()
        assert reason(caught.value) == "DRAINING"
        await asyncio.wait_for(draining, 5)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def heavy(number: int, filler: bytes) -> bytes:
    """A change that takes much room: what this server knows nothing of, it keeps all the same."""
    sent = change(number, move(0.5))
    sent.change.MergeFromString(b"\x7a" + _varint(len(filler)) + filler)
    return sent.SerializeToString()


def _varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


@pytest.fixture
async def narrow(running: Any) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(running.address, NARROW) as channel:
        yield channel


async def test_a_reader_that_never_reads_costs_one_answer_and_one_change_while_thousands_come(
    running: Any, narrow: grpc.aio.Channel
) -> None:
    method = narrow.stream_stream("/relatent.v1.EditingService/EditStream")
    call = method(timeout=60)
    await call.write(
        v1.EditStreamRequest(open=v1.EditSessionOpening(latent=latent(code(1)))).SerializeToString()
    )

    def count(outcome: str) -> float:
        return running.metric("relatent_session_changes_total", outcome=outcome)

    for number in range(1, 2001):
        await call.write(change(number, move(0.5)).SerializeToString())
    await running.until(lambda: count("answered") + count("dropped") >= 1999, 20)
    answered = count("answered")
    before, filler = resident_bytes(), bytes(100_000)
    for number in range(2001, 4001):  # 200 MB
        await call.write(heavy(number, filler))
    await running.until(lambda: count("dropped") >= 3999 - answered, 20)
    assert count("answered") == answered, "the answer that is not read is the last one made"
    assert resident_bytes() - before < 40 * MIB
    assert running.server.admission.inflight == running.server.admission.waiting == 0
    assert (await running.editing.Edit(EDIT, timeout=10)).images
    call.cancel()
    await running.until(lambda: running.server.lifecycle.running == 0)


async def test_one_that_reads_nothing_for_too_long_is_ended(
    running: Any, narrow: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interceptors, "WRITE_SECONDS", 0.4)
    monkeypatch.setattr(status, "ABORT_SECONDS", 0.2)
    async with open_session(editing_pb2_grpc.EditingServiceStub(narrow), timeout=60) as session:
        number = 0
        while running.server.lifecycle.running:
            number += 1
            try:
                await session.change(number, move(0.5))
            except (grpc.RpcError, asyncio.InvalidStateError):
                break
            await asyncio.sleep(0.0005)
        await running.until(lambda: running.server.lifecycle.running == 0, 20)
    assert running.metric("relatent_rejected_total", reason="not_read") == 1
