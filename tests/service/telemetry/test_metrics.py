import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from relatent.v1 import editing_pb2, inversion_pb2
from relatent_service.caching.remote import StoreFailed
from relatent_service.telemetry import metrics
from relatent_service.telemetry.metrics import Metrics
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Work
from relatent_service.traffic.lifecycle import Lifecycle
from relatent_service.traffic.pace import Pace
from tests.fixtures.requests import code, details, image, latent, reason
from tests.fixtures.running import running_server
from tests.fixtures.sessions import open_session
from tests.fixtures.stores import DictStore


def all_metrics():
    made = Metrics()
    made.watch_certificate(lambda: datetime(2030, 1, 1, tzinfo=UTC))
    return made


def test_every_metric_is_in_the_documentation_and_the_other_way_round():
    documented = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", metrics.__doc__, re.MULTILINE))
    real = {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in all_metrics().registry.collect()
    }
    assert documented == real


def test_the_documented_labels_are_the_real_ones():
    made = all_metrics()
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]*) \|", metrics.__doc__, re.MULTILINE)
    collectors: Any = made.registry._collector_to_names
    real = {collector._name: collector._labelnames for collector in collectors}
    for name, labels in rows:
        names = [label.strip() for label in labels.split(",") if label.strip()]
        if name.startswith("grpc_"):
            names = [f"grpc_{label}" for label in names]
        assert list(real[name.removesuffix("_total")]) == names, name


async def test_the_gauges_follow_the_admission():
    pace = Pace()
    made, admission = Metrics(), Admission(1, 1, pace, Lifecycle())
    pace.measure("tiny_refine", 10, 1.0)
    made.watch(admission)
    async with admission.slot(Work({"tiny_refine": 30}), Call()):
        assert made.registry.get_sample_value("relatent_inflight", {"class": "interactive"}) == 1
        assert made.registry.get_sample_value("relatent_backlog_seconds") == pytest.approx(3.0)
    assert made.registry.get_sample_value("relatent_inflight", {"class": "interactive"}) == 0


def totals(running):
    """What each metric of the service counts, over all its labels."""
    counted = {}
    for family in running.server.metrics.registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        counts = (name, f"{name}_count")
        counted[name] = sum(sample.value for sample in family.samples if sample.name in counts)
    return counted


async def test_every_metric_moves_with_the_calls_it_counts(tiny_root):
    flags = ("--max-inflight", "1", "--max-queue", "1", "--latent-cache-bytes", "1000000")
    store = DictStore()
    store.error = StoreFailed("away")
    async with running_server(tiny_root, *flags, store=store) as running:
        running.engine.hold("tiny_refine")
        before = totals(running)

        async def answer(no_cache=True):
            options = inversion_pb2.InversionOptions(no_cache=no_cache)
            request = inversion_pb2.InvertRequest(image=image(), options=options)
            return await running.inversion.Invert(request, timeout=20)

        first = asyncio.create_task(answer())
        await running.engine.held("tiny_refine")
        second = asyncio.create_task(answer())
        await running.until(lambda: running.metric("relatent_waiting") == 1)
        assert running.metric("relatent_inflight") == 1
        assert running.metric("relatent_backlog_seconds") > 0
        with pytest.raises(grpc.RpcError) as caught:
            await answer()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason(caught.value) == "QUEUE_FULL"
        assert details(caught.value)["RetryInfo"].retry_delay.ToMilliseconds() > 0
        assert running.metric("relatent_rejected_total", reason="queue_full") == 1
        running.engine.release("tiny_refine")
        await asyncio.gather(first, second)
        async with open_session(running.editing) as session:
            await session.change(1)
            await session.answer()
            assert running.metric("relatent_sessions") == 1
        await answer(no_cache=False)
        assert running.metric("relatent_latent_cache_bytes") > 0

        after = totals(running)
        now = {"relatent_inflight", "relatent_waiting", "relatent_set_aside", "relatent_backlog_seconds"}
        now |= {"relatent_sessions", "relatent_latent_cache_bytes"}
        unmoved = {name for name in after if after[name] == before[name]} - now
        nothing = {"relatent_triton_retries_total", "relatent_key_steps_total"}
        assert unmoved == nothing, "no engine call was repeated, and nobody has a key"
        assert after["relatent_queue_seconds"] - before["relatent_queue_seconds"] == 4
        assert running.metric("relatent_queue_seconds_sum") > 0


async def test_an_edit_counts_its_waiting_and_its_batch(running):
    before, rehearsed = totals(running), running.metric("relatent_batch_size_sum", graph="tiny_synthesize")
    operation = editing_pb2.Operation(
        direction=editing_pb2.DirectionMove(direction="brightness", strengths=[-1, 0, 1])
    )
    await running.editing.Edit(editing_pb2.EditRequest(latent=latent(code(1)), operations=[operation]))
    after = totals(running)
    assert after["relatent_queue_seconds"] - before["relatent_queue_seconds"] == 1
    assert running.metric("relatent_batch_size_sum", graph="tiny_synthesize") == rehearsed + 3
