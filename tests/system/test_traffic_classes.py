"""Two classes of traffic, through the client, a real service and its Triton."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import relatent
from relatent.core.traffic import TrafficClass
from tests.fixtures import tiny
from tests.system.processes import ServiceProcess
from tests.system.secured import relatent_command

PICTURE = tiny.random_image(1)
SLOTS, FLOOD, STEPS = 8, 16, 200
FLAGS = ("--max-inflight", str(SLOTS), "--latent-cache-bytes", "0")
Start = Callable[..., list[ServiceProcess]]


def let_in(service: ServiceProcess, traffic_class: TrafficClass) -> float:
    """How many calls of a class got slots so far."""
    return service.metric("relatent_queue_seconds_count", **{"class": traffic_class})


@asynccontextmanager
async def flood(client: relatent.AsyncClient, steps: int) -> AsyncIterator[None]:
    """As many callers as find no slots all at once, each with one call after the other."""

    async def calls() -> None:
        while True:
            await client.invert(PICTURE, steps=steps)

    callers = [asyncio.create_task(calls()) for _ in range(FLOOD)]
    try:
        yield
        assert not any(caller.done() for caller in callers)
    finally:
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)


async def seconds(client: relatent.AsyncClient) -> float:
    began = time.monotonic()
    await client.invert(PICTURE, steps=STEPS)
    return time.monotonic() - began


async def until_full(service: ServiceProcess, traffic_class: TrafficClass, slots: int) -> None:
    labels = {"class": traffic_class}
    async with asyncio.timeout(30):
        while service.metric("relatent_inflight", **labels) < slots:
            await asyncio.sleep(0.05)


async def test_an_interactive_call_amid_a_flood_of_bulk_ones_takes_little_longer_than_alone(
    start_service: Start,
) -> None:
    (service,) = start_service(1, *FLAGS)
    async with relatent.AsyncClient(service.address, timeout=3600) as client:
        alone = [await seconds(client) for _ in range(5)]
        async with flood(client.in_class("bulk"), 2000):
            await until_full(service, TrafficClass.BULK, 3 * SLOTS // 4)
            assert service.metric("relatent_waiting", **{"class": "bulk"}) > 0
            amid = [await seconds(client) for _ in range(5)]
    # Bulk calls have a fifth, and a quarter of a second of them is at the engine as one comes. Had it to wait
    # for a slot, or to share evenly, it would take many times as long.
    assert median(amid) <= 2 * max(alone) + 0.5


async def test_a_bulk_call_ends_whatever_interactive_calls_there_are(start_service: Start) -> None:
    (service,) = start_service(1, "--engine", "local", *FLAGS)
    async with relatent.AsyncClient(service.address, timeout=3600) as client, flood(client, STEPS):
        await until_full(service, TrafficClass.INTERACTIVE, SLOTS)
        result = await client.in_class("bulk").invert(PICTURE, steps=STEPS)
        assert result.steps == STEPS
    assert let_in(service, TrafficClass.BULK) == 1


async def test_what_is_asked_with_a_key_for_bulk_is_bulk(start_service: Start, tmp_path: Path) -> None:
    keys = str(tmp_path / "keys.json")
    key = relatent_command("keys", "new", "nightly", "--class", "bulk", "--api-keys", keys).stdout.strip()
    (service,) = start_service(1, "--engine", "local", "--api-keys", keys)
    for asked in (None, "interactive", "bulk"):
        async with relatent.AsyncClient(service.address, api_key=key, traffic_class=asked) as client:
            await client.invert(PICTURE, steps=1)
    assert let_in(service, TrafficClass.BULK) == 3
    assert let_in(service, TrafficClass.INTERACTIVE) == 0
