"""The embedded Triton under attack: stopped, starved, and among users who wish it ill."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from relatent_service.channels import open_channel
from relatent_service.engine.embedded import child, hanging, leftovers
from relatent_service.engine.embedded.engine import EmbeddedEngine
from relatent_service.engine.embedded.launch import workers_of
from relatent_service.engine.embedded.processes import PROC
from relatent_service.engine.engine import Array
from relatent_service.engine.retrying import RetryingEngine
from tests.service.engine.family import regions_of, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

X: dict[str, Array] = {"x": np.ones((1, 3), np.float32)}
LISTENING = "0A"


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hanging, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(hanging, "IDLE_SECONDS", 0.02)


def triton_of(engine: EmbeddedEngine) -> int:
    assert engine.triton.pid is not None
    return engine.triton.pid


async def restart(engine: EmbeddedEngine) -> None:
    """Kill Triton and wait until another one serves."""
    restarts = engine.triton.restarts
    os.kill(triton_of(engine), signal.SIGKILL)
    await wait_until(lambda: engine.triton.restarts > restarts)
    await RetryingEngine(engine, lambda: None).infer("toy_double", X, timeout=30)


@pytest.mark.usefixtures("quick_looks")
@pytest.mark.parametrize("victim", ["Triton itself", "a worker"])
async def test_what_is_stopped_is_not_serving_is_replaced_and_its_calls_are_answered(
    victim: str, embedded: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    triton, restarts = triton_of(embedded), embedded.triton.restarts
    engine = RetryingEngine(embedded, lambda: None)
    stopped = triton
    if victim == "a worker":
        (stopped,) = (worker for worker, graph in workers_of(triton).items() if graph == "toy_double")
    os.kill(stopped, signal.SIGSTOP)
    call = asyncio.create_task(engine.infer("toy_double", X, timeout=30))
    await wait_until(lambda: embedded.triton.hangs)
    assert not await embedded.healthy()
    assert not call.done()
    np.testing.assert_array_equal((await call).outputs["y"], 2 * X["x"])
    assert (embedded.triton.pid != triton, embedded.triton.restarts) == (True, restarts + 1)
    # Of a worker Triton itself may say so first.
    reasons = ("hangs: it is stopped", "is not healthy.")
    assert any(f"{reason}; starting Triton again" in caplog.text for reason in reasons)
    await wait_until(lambda: not embedded.triton.hangs)
    assert await embedded.healthy()


@pytest.mark.usefixtures("quick_looks")
async def test_a_worker_that_takes_its_time_is_left_alone(embedded: EmbeddedEngine) -> None:
    triton, restarts = triton_of(embedded), embedded.triton.restarts

    def rounds(count: float) -> dict[str, Array]:
        return {"rounds": np.array([[int(count)]], np.int32)}

    began = time.monotonic()
    await embedded.infer("toy_work", rounds(500))
    # Twice as long as one that hangs is given, though the first run may have been slowed by company twofold.
    long = 4 * hanging.LOOKS * hanging.LOOK_SECONDS / (time.monotonic() - began)
    work = asyncio.create_task(embedded.infer("toy_work", rounds(500 * max(1.0, long))))
    looks, suspected = 0, False
    while not work.done():
        await asyncio.sleep(hanging.LOOK_SECONDS)
        looks += 1
        suspected |= embedded.triton.hangs
    await work
    assert looks > hanging.LOOKS, "it took less time than one that hangs is given"
    assert (suspected, embedded.triton.pid, embedded.triton.restarts) == (False, triton, restarts)


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_triton_that_dies_when_no_file_can_be_opened_is_started_again_when_one_can(
    embedded: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    triton, restarts = triton_of(embedded), embedded.triton.restarts
    with no_descriptors_left():
        os.kill(triton, signal.SIGKILL)
        await wait_until(lambda: "Triton cannot be started" in caplog.text)
        assert not await embedded.healthy()
        assert embedded.triton.restarts == restarts
    assert "Too many open files" in caplog.text
    answer = await RetryingEngine(embedded, lambda: None).infer("toy_double", X, timeout=30)
    np.testing.assert_array_equal(answer.outputs["y"], 2 * X["x"])
    assert await embedded.healthy()


async def test_a_triton_that_cannot_be_watched_for_want_of_files_is_left_running_and_watched_later(
    embedded: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(child, "WATCH_AGAIN_SECONDS", 0.05)
    refusals = iter([OSError(errno.EMFILE, "Too many open files")] * 3)
    really = os.pidfd_open

    def pidfd_open(process: int, flags: int = 0) -> int:
        for refusal in refusals:
            raise refusal
        return really(process, flags)

    monkeypatch.setattr(os, "pidfd_open", pidfd_open)
    await restart(embedded)
    triton, restarts = triton_of(embedded), embedded.triton.restarts
    await wait_until(lambda: next(refusals, None) is None)
    told = [record for record in caplog.records if "cannot be watched" in record.message]
    assert [record.message for record in told] == [
        "Triton cannot be watched: [Errno 24] Too many open files; it is left running"
    ]
    await asyncio.sleep(0.2)
    assert (embedded.triton.pid, embedded.triton.restarts) == (triton, restarts)


def listening_ports(process: int) -> set[int]:
    """TCP ports at which a process listens."""
    sockets = set()
    for descriptor in (PROC / str(process) / "fd").iterdir():
        with suppress(OSError):
            sockets.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == LISTENING and rest[5] in sockets:
                ports.add(int(local.rpartition(":")[2], 16))
    return ports


async def test_other_users_can_neither_reach_triton_nor_read_what_it_shares_nor_keep_it_from_starting(
    embedded: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("http_proxy", "AWS_SECRET_ACCESS_KEY", "RELATENT_LISTEN", "SOME_TOKEN"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    taken = embedded.triton.metrics_address
    host, _, port = taken.rpartition(":")
    address = Path(embedded.triton.address.removeprefix("unix:"))
    prefix = address.parent.name.removesuffix(leftovers.SOCKET) + "-"
    restarts, modes = embedded.triton.restarts, set()
    os.kill(triton_of(embedded), signal.SIGKILL)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        while True:  # until the kernel has cleared it away
            with suppress(OSError):
                thief.bind((host, int(port)))
                break
        thief.listen()
        engine = RetryingEngine(embedded, lambda: None)
        call = asyncio.create_task(engine.infer("toy_double", X, timeout=30))
        while not call.done():  # from the first moment on
            for region in regions_of(prefix):
                with suppress(FileNotFoundError):
                    modes.add(region.stat().st_mode & 0o777)
            await asyncio.sleep(0)
    assert embedded.triton.restarts == restarts + 1
    triton = triton_of(embedded)
    assert f"{taken}, Triton's for metrics, was taken by another program" in caplog.text
    assert embedded.triton.metrics_address != taken
    assert listening_ports(triton) == {int(embedded.triton.metrics_address.rpartition(":")[2])}

    assert address.is_socket()
    assert address.parent.stat().st_mode & 0o077 == 0
    assert len(regions_of(prefix)) == len(embedded.graphs) + 1  # that of the stranger
    assert modes == {0o600}

    for process in (triton, *workers_of(triton)):
        environment = (PROC / str(process) / "environ").read_bytes().split(b"\0")
        names = {entry.partition(b"=")[0].decode() for entry in environment if entry}
        assert not names & {"http_proxy", "AWS_SECRET_ACCESS_KEY", "RELATENT_LISTEN", "SOME_TOKEN"}
        assert {"PATH", "OMP_WAIT_POLICY", "ORT_DISABLE_TELEMETRY"} <= names

    async with open_channel(embedded.triton.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for method, request in (
            (stub.SystemSharedMemoryUnregister, service_pb2.SystemSharedMemoryUnregisterRequest()),
            (stub.LogSettings, service_pb2.LogSettingsRequest()),
            (stub.TraceSetting, service_pb2.TraceSettingRequest()),
        ):
            with pytest.raises(grpc.aio.AioRpcError, match="restricted"):
                await method(request, timeout=5)
