import asyncio
import resource
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest

from relatent_service.telemetry import scrapes
from relatent_service.telemetry.metrics import Metrics
from relatent_service.telemetry.scrapes import ScrapeServer

WHOLE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
FIRST_HALF = WHOLE[:20]


@pytest.fixture
async def server():
    metrics = Metrics()
    metrics.retries.inc()
    running = ScrapeServer(metrics.registry)
    await running.start("127.0.0.1", 0)
    yield running
    await running.stop()


async def scrape(server, **fields):
    """As Prometheus does it: another program, with a client of its own."""

    def ask():
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics", **fields)
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.headers["Content-Type"], response.read().decode()

    return await asyncio.to_thread(ask)


async def connect(server):
    return await asyncio.open_connection("127.0.0.1", server.port)


async def test_scrapes_are_answered_on_a_port_of_their_own(server):
    kind, text = await scrape(server)
    assert kind.startswith("text/plain")
    assert "relatent_triton_retries_total 1.0" in text
    kind, text = await scrape(server, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    assert (await scrape(server, method="HEAD"))[1] == ""


async def test_what_is_no_scrape_is_refused(server):
    with pytest.raises(urllib.error.HTTPError, match="405"):
        await scrape(server, data=b"x" * 100)
    reader, writer = await connect(server)
    writer.write(b"GET /other HTTP/1.1\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 404")
    writer.close()


async def test_a_port_that_is_taken_is_told(server):
    with pytest.raises(OSError, match="in use"):
        await ScrapeServer(Metrics().registry).start("127.0.0.1", server.port)


async def test_once_stopped_the_port_is_free(server):
    await server.stop()
    with pytest.raises(OSError, match="refused"):
        await scrape(server)


async def test_a_request_that_never_ends_is_hung_up_on(server):
    _, writer = await connect(server)

    async def send_on():
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(send_on(), 10)
    writer.close()


async def test_slow_scrapers_hold_no_threads_and_do_not_hold_up_the_others(server):
    threads = threading.active_count()
    slow = [await connect(server) for _ in range(scrapes.MOST_CONNECTIONS - 10)]
    for number, (_, writer) in enumerate(slow):
        # Half of them ask in part, half ask many times at once; none reads on.
        writer.write(WHOLE * 500 if number % 2 else FIRST_HALF)
    began = time.monotonic()
    assert "relatent_triton_retries_total 1.0" in (await scrape(server))[1]
    assert time.monotonic() - began < 5
    assert threading.active_count() <= threads + 1, "the one that this test scrapes from"
    for _, writer in slow:
        writer.close()


async def test_those_who_take_too_long_make_room_for_others_however_they_drip(server, monkeypatch):
    monkeypatch.setattr(scrapes, "SECONDS", 0.4)
    monkeypatch.setattr(scrapes, "MOST_CONNECTIONS", 5)
    dripping = [await connect(server) for _ in range(5)]

    async def drip():
        while True:
            for _, writer in dripping:
                writer.write(b"x")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(drip())
    await asyncio.sleep(0.1)
    with pytest.raises((OSError, urllib.error.URLError)):
        await scrape(server)
    await asyncio.sleep(0.6)
    assert "relatent_triton_retries_total" in (await scrape(server))[1]
    task.cancel()


async def test_without_file_descriptors_it_waits_and_answers_once_there_are_some(server, caplog):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    loop = asyncio.get_running_loop()
    problems = []
    loop.set_exception_handler(lambda _, context: problems.append(context["message"]))
    peer = socket.socket()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        peer.connect(("127.0.0.1", server.port))
        await asyncio.sleep(0.3)
        assert len(problems) <= scrapes.BACKLOG, "it is told, not repeated without end"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert problems, "there were none left"
    peer.close()
    assert "relatent_triton_retries_total" in (await scrape(server))[1]
