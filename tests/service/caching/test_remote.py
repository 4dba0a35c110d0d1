"""A shared store helps where it can, and stands in nobody's way."""

import logging

import pytest

from relatent_service.caching import remote
from relatent_service.caching.remote import RemoteResults, StoreFailed
from relatent_service.caching.results import to_bytes
from relatent_service.telemetry.metrics import Metrics
from tests.fixtures.stores import DictStore
from tests.service.caching.plans import make_plan, make_result


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(remote, "monotonic", clock)
    return clock


@pytest.fixture
def store():
    return DictStore()


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def results(store, metrics, clock):
    return RemoteResults(store, metrics)


def errors(metrics, reason):
    name = "relatent_latent_cache_errors_total"
    return metrics.registry.get_sample_value(name, {"reason": reason}) or 0


async def test_what_one_server_keeps_another_finds(results, store, pack):
    plan = make_plan(pack)
    results.keep("key", make_result(plan))
    await results.close()
    assert store.closed, "and only after all had arrived"
    other = RemoteResults(store, Metrics())
    found = await other.find("key", plan)
    assert found is not None
    assert found.quality == make_result(plan).quality
    assert await other.find("another", plan) is None


@pytest.mark.parametrize("broken", [b"garbage", b"\0" * 100])
async def test_garbage_is_counted_and_passed_over(results, store, metrics, pack, broken):
    plan = make_plan(pack)
    store.values["key"] = broken
    assert await results.find("key", plan) is None
    assert errors(metrics, "not_a_result") == 1
    results.keep("key", make_result(plan))
    await results.close()
    assert await results.find("key", plan) is not None, "and what is right takes its place"


async def test_one_that_is_down_is_left_alone_for_a_while_and_told_of_once(
    results, store, metrics, clock, pack, caplog
):
    caplog.set_level(logging.INFO)
    plan = make_plan(pack)
    store.values["key"] = to_bytes(make_result(plan))
    store.error = StoreFailed("ConnectionError: refused")
    for _ in range(3):
        assert await results.find("key", plan) is None
    assert (store.asked, errors(metrics, "failed")) == (1, 1)
    clock.now += remote.REST_SECONDS
    assert await results.find("key", plan) is None
    assert store.asked == 2
    store.error = None
    assert await results.find("key", plan) is None, "it rests again"
    clock.now += remote.REST_SECONDS
    assert await results.find("key", plan) is not None
    warned, well = caplog.messages
    assert "the shared cache fails" in warned
    assert well == "the shared cache answers again"


async def test_one_that_does_not_answer_costs_milliseconds_once(results, store, metrics, pack, monkeypatch):
    monkeypatch.setattr(remote, "GET_SECONDS", 0.02)
    store.delay = 60
    assert await results.find("key", make_plan(pack)) is None
    assert await results.find("key", make_plan(pack)) is None
    assert (store.asked, errors(metrics, "slow")) == (1, 1)


async def test_what_is_too_large_is_neither_sent_nor_taken(results, store, metrics, pack, monkeypatch):
    plan = make_plan(pack)
    data = to_bytes(make_result(plan))
    monkeypatch.setattr(remote, "MOST_BYTES", len(data) - 1)
    results.keep("key", make_result(plan))
    await results.close()
    assert store.values == {}
    assert errors(metrics, "too_large") == 1
    store.values["key"] = data + b"and much more"
    assert await results.find("key", plan) is None
    assert errors(metrics, "not_a_result") == 1


async def test_a_slow_store_is_not_flooded(results, store, metrics, pack):
    plan = make_plan(pack)
    store.delay = 0.05
    for index in range(remote.MOST_PUTS + 3):
        results.keep(str(index), make_result(plan))
    await results.close()
    assert len(store.values) == remote.MOST_PUTS
    assert errors(metrics, "busy") == 3
