"""Streams whose readers do not read, over real connections."""

import time

import grpc
import pytest

from relatent.v1 import inversion_pb2 as v1
from relatent.v1 import inversion_pb2_grpc
from relatent_service.rpc import interceptors, inverting, status
from tests.fixtures.requests import image, reason
from tests.fixtures.running import running_server

STEPS = 2000
# Enough for some reports: what is sent ahead of a reader is bounded by its window.
NARROW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 4096)]


def endless():
    """A stream that fills any window: it reports every chunk, with a picture and a checkpoint."""
    options = v1.InversionOptions(refinement=v1.Refinement(steps=STEPS))
    return v1.InvertStreamRequest(image=image(), options=options, preview_every=1, checkpoint_every=1)


async def _read_all(call):
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(inverting, "READER_SECONDS", 0.1)


@pytest.fixture
async def crowded(tiny_root, impatient):
    """A server of two places, both taken by streams that nobody reads, and these."""
    async with (
        running_server(tiny_root, "--max-inflight", "2") as running,
        grpc.aio.insecure_channel(running.address, NARROW) as channel,
    ):
        stub = inversion_pb2_grpc.InversionServiceStub(channel)
        calls = [stub.InvertStream(endless(), timeout=60) for _ in range(2)]
        for call in calls:
            await call.read()
        await running.until(lambda: running.server.admission.aside == 2, 20)
        yield running, calls
        for call in calls:
            call.cancel()


async def test_they_hold_no_places_while_they_do_not_read(crowded):
    running, _ = crowded
    assert running.server.admission.inflight == 0
    assert running.metric("relatent_set_aside") == 2
    began = time.monotonic()
    request = v1.InvertRequest(image=image(), options=v1.InversionOptions(refinement=v1.Refinement(steps=8)))
    assert (await running.inversion.Invert(request, timeout=10)).result.steps == 8
    assert time.monotonic() - began < 5


async def test_they_go_on_where_they_were_once_they_read_on(crowded):
    _, (call, _) = crowded
    steps = []
    while (event := await call.read()) is not grpc.aio.EOF:
        if event.HasField("progress"):
            steps.append(event.progress.steps)
        last = event
    assert last.result.steps == STEPS
    assert len(last.result.losses) == STEPS
    assert steps == sorted(set(steps)), "nothing was done twice"


async def test_one_that_reads_nothing_for_too_long_is_ended_and_told_so_if_it_ever_reads_on(
    tiny_root, impatient, monkeypatch
):
    monkeypatch.setattr(interceptors, "WRITE_SECONDS", 0.4)
    monkeypatch.setattr(status, "ABORT_SECONDS", 0.2)
    async with (
        running_server(tiny_root) as running,
        grpc.aio.insecure_channel(running.address, NARROW) as channel,
    ):
        call = inversion_pb2_grpc.InversionServiceStub(channel).InvertStream(endless(), timeout=60)
        await call.read()
        await running.until(lambda: running.server.lifecycle.running == 0, 20)
        assert running.server.admission.inflight == running.server.admission.aside == 0
        assert running.metric("relatent_rejected_total", reason="not_read") == 1
        with pytest.raises(grpc.RpcError) as caught:
            await _read_all(call)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason(caught.value) == "NOT_READ"


async def test_a_server_that_stops_amid_a_stream_logs_no_fault(tiny_root, caplog):
    async with (
        running_server(tiny_root) as running,
        grpc.aio.insecure_channel(running.address, NARROW) as channel,
    ):
        running.engine.delay = 0.01
        call = inversion_pb2_grpc.InversionServiceStub(channel).InvertStream(endless(), timeout=60)
        await call.read()
        await running.server.grpc.stop(None)
        await running.until(lambda: running.server.lifecycle.running == 0, 20)
    assert "a fault of ours" not in caplog.text
